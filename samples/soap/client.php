<?php
// A call by PHP's SOAP extension, and one that the service refuses.
$c = new SoapClient('http://server.example:8011/?wsdl', ['cache_wsdl' => WSDL_CACHE_NONE]);
print_r($c->GetQuote(['symbol' => 'IBM']));
try {
    $c->GetQuote(['symbol' => 'NONE']);
} catch (SoapFault $f) {
    print $f->getMessage();
}
