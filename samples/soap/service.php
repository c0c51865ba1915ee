<?php
// A service by PHP's SOAP extension, without a WSDL.
function getQuote($symbol)
{
    return 172.5;
}
$service = new SoapServer(null, ['uri' => 'urn:stock.example']);
$service->addFunction('getQuote');
$service->handle();
