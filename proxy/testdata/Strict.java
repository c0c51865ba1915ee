import java.io.FileInputStream;
import java.net.Socket;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** Trusts one authority, checks the name, and has its word echoed: PORT NAME AUTHORITY VERSION... */
public class Strict {
	public static void main(String[] args) throws Exception {
		KeyStore trust = KeyStore.getInstance(KeyStore.getDefaultType());
		trust.load(null, null);
		try (FileInputStream in = new FileInputStream(args[2])) {
			trust.setCertificateEntry("proxy", CertificateFactory.getInstance("X.509").generateCertificate(in));
		}
		TrustManagerFactory managers = TrustManagerFactory.getInstance("PKIX");
		managers.init(trust);
		for (int i = 3; i < args.length; i++) {
			SSLContext context = SSLContext.getInstance("TLS");
			context.init(null, managers.getTrustManagers(), null);
			int port = Integer.parseInt(args[0]);
			try (Socket raw = new Socket("127.0.0.1", port);
					SSLSocket s = (SSLSocket) context.getSocketFactory().createSocket(raw, args[1], port, true)) {
				s.setSoTimeout(50_000);
				SSLParameters how = s.getSSLParameters();
				how.setEndpointIdentificationAlgorithm("HTTPS");
				how.setProtocols(new String[] {args[i]});
				s.setSSLParameters(how);
				s.getOutputStream().write("hello".getBytes());
				byte[] got = s.getInputStream().readNBytes(5);
				System.out.println(s.getSession().getProtocol() + " " + new String(got));
			}
		}
	}
}
