import java.net.URL;
import javax.xml.namespace.QName;
import javax.xml.soap.AttachmentPart;
import javax.xml.soap.MessageFactory;
import javax.xml.soap.SOAPConnection;
import javax.xml.soap.SOAPConnectionFactory;
import javax.xml.soap.SOAPConstants;
import javax.xml.soap.SOAPElement;
import javax.xml.soap.SOAPHeaderElement;
import javax.xml.soap.SOAPMessage;

/** Calls by Java's SAAJ: SOAP 1.1 with an answer and with a fault, SOAP 1.2, and a call with an attachment. */
public class Saaj {
    static final String STOCK = "urn:stock.example";

    static SOAPMessage call(String version, String operation, String symbol) throws Exception {
        SOAPMessage message = MessageFactory.newInstance(version).createMessage();
        if (version.equals(SOAPConstants.SOAP_1_1_PROTOCOL)) {
            message.getMimeHeaders().addHeader("SOAPAction", "\"" + operation + "\"");
        }
        SOAPHeaderElement trace = message.getSOAPHeader().addHeaderElement(new QName("urn:trace.example", "Trace", "t"));
        trace.addTextNode("saaj");
        SOAPElement body = message.getSOAPBody().addBodyElement(new QName(STOCK, operation, "s"));
        body.addChildElement("symbol", "s").addTextNode(symbol);
        return message;
    }

    public static void main(String[] args) throws Exception {
        SOAPConnection connection = SOAPConnectionFactory.newInstance().createConnection();
        URL old = new URL("http://server.example:8011/"), current = new URL("http://server.example:8012/");
        for (String symbol : new String[] {"IBM", "NONE"}) {
            connection.call(call(SOAPConstants.SOAP_1_1_PROTOCOL, "GetQuote", symbol), old).writeTo(System.out);
        }
        connection.call(call(SOAPConstants.SOAP_1_2_PROTOCOL, "GetQuote", "IBM"), current).writeTo(System.out);

        SOAPMessage put = call(SOAPConstants.SOAP_1_1_PROTOCOL, "PutChart", "IBM");
        AttachmentPart chart = put.createAttachmentPart("day,quote\n1,172.5\n2,173.0\n", "text/csv");
        chart.setContentId("<chart@client.example>");
        put.addAttachmentPart(chart);
        put.getSOAPBody().getFirstChild().appendChild(put.getSOAPPart().createElementNS(STOCK, "s:chart"));
        ((SOAPElement) put.getSOAPBody().getFirstChild().getLastChild()).addAttribute(new QName("href"), "cid:chart@client.example");
        connection.call(put, new URL("http://server.example:8030/quotes")).writeTo(System.out);
        connection.close();
    }
}
