/* A gSOAP service (argument: serve) and its client, for the samples gsoap
   (rpc, encoded, with a fault) and mtom (a chart as an XOP part). */
#include "soapH.h"
#include "stock.nsmap"

int ns__getQuote(struct soap *soap, char *symbol, double *quote) {
	if (strcmp(symbol, "NONE") == 0)
		return soap_sender_fault(soap, "no such symbol", "<symbol>NONE</symbol>");
	*quote = 172.5;
	return SOAP_OK;
}

int ns__putChart(struct soap *soap, struct ns__chart *chart, int *size) {
	*size = chart ? chart->Include.__size : 0;
	return SOAP_OK;
}

static int serve(struct soap *soap) {
	soap->bind_flags = SO_REUSEADDR;
	if (!soap_valid_socket(soap_bind(soap, "192.0.2.20", 8060, 10))) {
		soap_print_fault(soap, stderr);
		return 1;
	}
	for (;;) {
		if (!soap_valid_socket(soap_accept(soap))) {
			soap_print_fault(soap, stderr);
			return 1;
		}
		soap_serve(soap);
		soap_destroy(soap);
		soap_end(soap);
	}
}

int main(int argc, char **argv) {
	const char *url = "http://server.example:8060/";
	int mtom = argc > 1 && strcmp(argv[1], "mtom") == 0;
	int server = argc > 1 && strcmp(argv[1], "serve") == 0;
	struct soap *soap = soap_new1(mtom || server ? SOAP_ENC_MTOM : SOAP_IO_KEEPALIVE);
	double quote;
	int size;

	if (server)
		return serve(soap);
	if (mtom) {
		static unsigned char picture[3000] = "\x89PNG\r\n\x1a\n";
		struct ns__chart chart;
		for (int i = 8; i < (int)sizeof picture; i++)
			picture[i] = (unsigned char)(i * i >> 3);
		memset(&chart, 0, sizeof chart);
		chart.Include.__ptr = picture;
		chart.Include.__size = sizeof picture;
		chart.Include.type = "image/png";
		chart.xmime5__contentType = "image/png";
		if (soap_call_ns__putChart(soap, url, NULL, &chart, &size))
			soap_print_fault(soap, stderr);
		else
			printf("%d\n", size);
	} else {
		if (soap_call_ns__getQuote(soap, url, NULL, "IBM", &quote) == SOAP_OK)
			printf("%g\n", quote);
		if (soap_call_ns__getQuote(soap, url, NULL, "NONE", &quote))
			soap_print_fault(soap, stderr);
	}
	soap_destroy(soap);
	soap_end(soap);
	soap_free(soap);
	return 0;
}
