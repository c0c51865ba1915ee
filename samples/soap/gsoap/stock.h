//gsoap ns service name: stock
//gsoap ns service style: rpc
//gsoap ns service encoding: encoded
//gsoap ns service namespace: urn:stock.example
//gsoap ns service location: http://server.example:8060/
#import "xop.h"
#import "xmime5.h"

struct ns__chart {
	_xop__Include Include;
	@char *xmime5__contentType;
};

//gsoap ns service method-action: getQuote "urn:stock.example#getQuote"
int ns__getQuote(char *symbol, double *quote);

//gsoap ns service method-action: putChart "urn:stock.example#putChart"
int ns__putChart(struct ns__chart *chart, int *size);
