package soap

import (
	"fmt"
	"strings"
	"testing"

	"sniff/dissect/soap/wsdl"
	"sniff/record"
)

const shopWSDL = `<?xml version="1.0"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="urn:shop"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:shop">
  <types>
    <xs:schema targetNamespace="urn:shop" elementFormDefault="qualified"><xs:include schemaLocation="types.xsd"/>
      <xs:element name="Order"><xs:complexType><xs:sequence>
        <xs:element name="customer" type="tns:Customer"/>
        <xs:element name="item" type="tns:Item" maxOccurs="3"/>
        <xs:choice><xs:element name="card" type="xs:string"/><xs:element name="invoice" type="xs:boolean"/></xs:choice>
        <xs:element name="due" type="xs:date" minOccurs="0" nillable="true"/>
        <xs:element name="pin" type="tns:Pin" minOccurs="0"/>
        <xs:any namespace="##other" minOccurs="0" maxOccurs="unbounded" processContents="lax"/>
      </xs:sequence><xs:attribute name="version" type="xs:int" use="required"/></xs:complexType></xs:element>
      <xs:element name="OrderResponse"><xs:complexType><xs:sequence><xs:element name="number" type="xs:unsignedInt"/></xs:sequence></xs:complexType></xs:element>
      <xs:simpleType name="Pin"><xs:restriction base="xs:string"><xs:pattern value="\d{4}"/></xs:restriction></xs:simpleType>
      <xs:element name="Ping"><xs:complexType/></xs:element>
    </xs:schema>
  </types>
  <message name="OrderIn"><part name="body" element="tns:Order"/></message>
  <message name="OrderOut"><part name="body" element="tns:OrderResponse"/></message>
  <message name="PingIn"><part name="body" element="tns:Ping"/></message>
  <message name="SumIn"><part name="a" type="xs:int"/><part name="b" type="xs:int"/></message>
  <portType name="Shop">
    <operation name="PlaceOrder"><input message="tns:OrderIn"/><output message="tns:OrderOut"/></operation>
    <operation name="Ping"><input message="tns:PingIn"/></operation>
    <operation name="Sum"><input message="tns:SumIn"/></operation>
  </portType>
  <binding name="ShopSOAP" type="tns:Shop"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="PlaceOrder"><soap:operation soapAction="urn:shop#order"/><input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>
    <operation name="Ping"><soap:operation soapAction=""/><input><soap:body use="literal"/></input></operation>
    <operation name="Sum"><soap:operation soapAction="" style="rpc"/><input><soap:body use="literal" namespace="urn:sum"/></input></operation>
  </binding>
  <service name="ShopService"><port name="p" binding="tns:ShopSOAP"><soap:address location="http://shop.example/orders"/></port></service>
</definitions>`

const shopTypes = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:shop" targetNamespace="urn:shop" elementFormDefault="qualified">
  <xs:complexType name="Party"><xs:sequence><xs:element name="name" type="xs:string"/></xs:sequence></xs:complexType>
  <xs:complexType name="Customer"><xs:complexContent><xs:extension base="Party"><xs:sequence><xs:element name="since" type="xs:dateTime" minOccurs="0"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
  <xs:complexType name="Item"><xs:all><xs:element name="sku"><xs:simpleType><xs:restriction base="xs:string"><xs:maxLength value="8"/></xs:restriction></xs:simpleType></xs:element><xs:element name="count" type="Count"/></xs:all></xs:complexType>
  <xs:simpleType name="Count"><xs:restriction base="xs:positiveInteger"><xs:maxInclusive value="99"/></xs:restriction></xs:simpleType>
</xs:schema>`

const inner = `<o:customer><o:name>Ann</o:name></o:customer><o:item><o:count>2</o:count><o:sku>TEA</o:sku></o:item><o:invoice>true</o:invoice>`

// verdict holds a request with this body against the shop's contract.
func verdict(t *testing.T, c *Contracts, version, endpoint, action, body string) *wsdl.Verdict {
	t.Helper()
	env := soap11
	if version == "1.2" {
		env = soap12
	}
	root, err := readTree(defaults(Config{}), "", []byte(`<s:Envelope xmlns:s="`+env+`" xmlns:o="urn:shop" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body>`+body+`</s:Body></s:Envelope>`))
	if err != nil {
		t.Fatal(err)
	}
	return c.set.Call(&wsdl.Message{Endpoint: endpoint, Version: version, Action: action, Envelope: root, Secret: record.SecretElement})
}

func shop(t *testing.T) *Contracts {
	t.Helper()
	c := &Contracts{}
	if err := c.Add("shop.wsdl", []byte(shopWSDL)); err != nil {
		t.Fatal(err)
	}
	if got := c.Missing(); len(got) != 1 || got[0] != "types.xsd" {
		t.Fatalf("missing imports %v, want types.xsd", got)
	}
	if err := c.Add("types.xsd", []byte(shopTypes)); err != nil {
		t.Fatal(err)
	}
	if got := c.Missing(); len(got) != 0 {
		t.Fatalf("missing imports %v", got)
	}
	return c
}

func TestContract(t *testing.T) {
	c := shop(t)
	order := func(inner string) string { return `<o:Order version="1">` + inner + `</o:Order>` }
	const at = "/s:Envelope/s:Body/o:Order"
	for _, x := range []struct{ name, version, action, body, code, path, detail string }{
		{"right", "1.1", "urn:shop#order", order(inner), "", "", ""},
		{"right with all", "1.1", "urn:shop#order", order(strings.Replace(inner, "<o:item>", "<o:item><o:count> 1 </o:count><o:sku>A</o:sku></o:item><o:item>", 1) + `<o:due xsi:nil="true"/><o:pin>1234</o:pin><x:y xmlns:x="urn:x"/>`), "", "", ""},
		{"action", "1.1", "urn:shop#other", order(inner), "action", "", `"urn:shop#other", the contract wants "urn:shop#order"`},
		{"no action", "1.1", "", order(inner), "action", "", "missing or empty"},
		{"version", "1.2", "urn:shop#order", order(inner), "version", "/s:Envelope", "SOAP 1.2"},
		{"missing", "1.1", "urn:shop#order", order(strings.Replace(inner, "<o:name>Ann</o:name>", "", 1)), "element_missing", at + "/o:customer", "name is missing"},
		{"missing choice", "1.1", "urn:shop#order", order(strings.Replace(inner, "<o:invoice>true</o:invoice>", "", 1)), "element_missing", at, "card or invoice is missing behind item"},
		{"order", "1.1", "urn:shop#order", order("<o:invoice>true</o:invoice>" + strings.Replace(inner, "<o:invoice>true</o:invoice>", "", 1)), "element_order", at + "/o:customer", "customer stands behind invoice"},
		{"unknown", "1.1", "urn:shop#order", order(inner + "<o:color>red</o:color>"), "element_unexpected", at + "/o:color", "color is no element of Order"},
		{"namespace", "1.1", "urn:shop#order", order(strings.NewReplacer("<o:name>", "<name>", "</o:name>", "</name>").Replace(inner)), "element_unexpected", at + "/o:customer/name", "namespace none, the contract wants urn:shop"},
		{"too many", "1.1", "urn:shop#order", order(strings.Replace(inner, "<o:invoice>", strings.Repeat("<o:item><o:count>1</o:count><o:sku>A</o:sku></o:item>", 3)+"<o:invoice>", 1)), "element_missing", at, "card or invoice is missing in front of item"},
		{"value", "1.1", "urn:shop#order", order(strings.Replace(inner, ">2<", ">100<", 1)), "value_invalid", at + "/o:item/o:count", `"100" is above 99`},
		{"second value", "1.1", "urn:shop#order", order(strings.Replace(inner, "<o:invoice>", "<o:item><o:count>x</o:count><o:sku>A</o:sku></o:item><o:invoice>", 1)), "value_invalid", at + "/o:item[2]/o:count", `"x" is no positiveInteger`},
		{"length", "1.1", "urn:shop#order", order(strings.Replace(inner, "TEA", "CHAMOMILE", 1)), "value_invalid", at + "/o:item/o:sku", "longer than 8"},
		{"pattern", "1.1", "urn:shop#order", order(inner + "<o:pin>12345</o:pin>"), "value_invalid", at + "/o:pin", `does not match the pattern \d{4}`},
		{"boolean", "1.1", "urn:shop#order", order(strings.Replace(inner, ">true<", ">yes<", 1)), "value_invalid", at + "/o:invoice", `"yes" is no boolean`},
		{"nil", "1.1", "urn:shop#order", order(strings.Replace(inner, "<o:invoice>true</o:invoice>", `<o:invoice xsi:nil="true"/>`, 1)), "nil_invalid", at + "/o:invoice", "is nil"},
		{"attribute", "1.1", "urn:shop#order", "<o:Order>" + inner + "</o:Order>", "attribute_missing", at, "attribute version"},
		{"odd attribute", "1.1", "urn:shop#order", `<o:Order version="1" colour="red">` + inner + "</o:Order>", "attribute_unknown", at, "attribute colour"},
		{"operation", "1.1", "", `<o:Cancel/>`, "unknown_operation", "/s:Envelope/s:Body/o:Cancel", "it has Ping, PlaceOrder, Sum"},
		{"operation's namespace", "1.1", "", `<Ping/>`, "unknown_operation", "/s:Envelope/s:Body/Ping", "namespace none, the contract wants urn:shop"},
		{"rpc", "1.1", "", `<n:Sum xmlns:n="urn:sum"><a>1</a><b>2</b></n:Sum>`, "", "", ""},
		{"rpc order", "1.1", "", `<n:Sum xmlns:n="urn:sum"><b>1</b><a>2</a></n:Sum>`, "element_order", "/s:Envelope/s:Body/n:Sum/a", "a stands behind b"},
		{"rpc value", "1.1", "", `<n:Sum xmlns:n="urn:sum"><a>1</a><b>3000000000</b></n:Sum>`, "value_invalid", "/s:Envelope/s:Body/n:Sum/b", "out of the range of int"},
		{"empty element", "1.1", "", `<o:Ping/>`, "", "", ""},
		{"not empty", "1.1", "", `<o:Ping><o:a/></o:Ping>`, "element_unexpected", "/s:Envelope/s:Body/o:Ping/o:a", "no element of Ping"},
	} {
		t.Run(x.name, func(t *testing.T) {
			v := verdict(t, c, x.version, "http://shop.example/orders", x.action, x.body)
			if v == nil {
				t.Fatal("the contract does not cover the call")
			}
			if x.code == "" {
				if len(v.Deviations) > 0 {
					t.Errorf("a right call departs: %+v", v.Deviations)
				}
				return
			}
			if len(v.Deviations) == 0 {
				t.Fatal("no deviation")
			}
			if d := v.Deviations[0]; d.Code != x.code || d.Path != x.path || !strings.Contains(d.Detail, x.detail) {
				t.Errorf("got %+v\nwant %s at %s with %q", v.Deviations, x.code, x.path, x.detail)
			}
		})
	}
	if v := verdict(t, c, "1.1", "http://other.example/x", "", `<a xmlns="urn:a"/>`); v != nil {
		t.Errorf("a call of another service is held against the contract: %+v", v)
	}
}

func TestContract20(t *testing.T) {
	c := &Contracts{}
	err := c.Add("http://ws.example/?wsdl", []byte(`<w:description xmlns:w="http://www.w3.org/ns/wsdl" xmlns:ws="http://www.w3.org/ns/wsdl/soap" xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:o="urn:shop" targetNamespace="urn:shop">
  <w:types><x:schema targetNamespace="urn:shop"><x:element name="Count" type="x:int"/></x:schema></w:types>
  <w:interface name="Base"><w:operation name="Count"><w:input element="o:Count"/></w:operation></w:interface>
  <w:interface name="Shop" extends="o:Base"/>
  <w:binding name="b" interface="o:Shop" type="http://www.w3.org/ns/wsdl/soap" ws:protocol="http://www.w3.org/2003/05/soap/bindings/HTTP/"><w:operation ref="o:Count" ws:action="urn:count"/></w:binding>
  <w:service name="s" interface="o:Shop"><w:endpoint name="e" binding="o:b" address="http://ws.example/"/></w:service>
</w:description>`))
	if err != nil {
		t.Fatal(err)
	}
	if v := verdict(t, c, "1.2", "http://ws.example/", "urn:count", `<o:Count>7</o:Count>`); v == nil || len(v.Deviations) > 0 {
		t.Errorf("a right call: %+v", v)
	}
	v := verdict(t, c, "1.2", "http://ws.example/", "urn:count", `<o:Count>seven</o:Count>`)
	if v == nil || len(v.Deviations) != 1 || v.Deviations[0].Detail != `Count: "seven" is no int` {
		t.Errorf("a wrong value: %+v", v)
	}
}

// TestContractSecret: a password that breaks its type is not quoted.
func TestContractSecret(t *testing.T) {
	c := &Contracts{}
	doc := strings.Replace(shopWSDL, `<xs:element name="pin"`, `<xs:element name="password" minOccurs="0" type="tns:Pin"/><xs:element name="pin"`, 1)
	for name, d := range map[string]string{"shop.wsdl": doc, "types.xsd": shopTypes} {
		if err := c.Add(name, []byte(d)); err != nil {
			t.Fatal(err)
		}
	}
	v := verdict(t, c, "1.1", "http://shop.example/orders", "urn:shop#order", `<o:Order version="1">`+inner+`<o:password>hunter2</o:password></o:Order>`)
	if v == nil || len(v.Deviations) != 1 || strings.Contains(fmt.Sprint(v.Deviations), "hunter2") {
		t.Errorf("%+v", v)
	}
}

// TestHostileContract: schemas that refer to themselves end.
func TestHostileContract(t *testing.T) {
	c := &Contracts{}
	doc := strings.Replace(shopWSDL, `<xs:simpleType name="Pin">`, `
      <xs:group name="g"><xs:sequence><xs:group ref="tns:g"/><xs:group ref="tns:g"/></xs:sequence></xs:group>
      <xs:complexType name="Loop"><xs:complexContent><xs:extension base="tns:Loop"><xs:group ref="tns:g"/></xs:extension></xs:complexContent></xs:complexType>
      <xs:complexType name="Groups"><xs:group ref="tns:g"/></xs:complexType>
      <xs:simpleType name="U"><xs:union memberTypes="tns:U tns:U"/></xs:simpleType>
      <xs:simpleType name="Pin">`, 1)
	for _, typ := range []string{"tns:Loop", "tns:Groups", "tns:U"} {
		d := strings.Replace(doc, `<xs:element name="pin" type="tns:Pin"`, `<xs:element name="pin" type="`+typ+`"`, 1)
		for name, d := range map[string]string{"shop.wsdl": d, "types.xsd": shopTypes} {
			if err := c.Add(name, []byte(d)); err != nil {
				t.Fatal(err)
			}
		}
		verdict(t, c, "1.1", "http://shop.example/orders", "urn:shop#order", `<o:Order version="1">`+inner+`<o:pin><o:x/><o:y/></o:pin></o:Order>`)
	}
}
