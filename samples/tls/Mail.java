import java.io.*;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.KeyStore;
import java.security.Security;
import javax.net.ssl.*;

/**
 * The mail of client.py with Java's TLS (JSSE), both sides of it:
 *
 *   java Mail.java server PORT PROTOCOL SUITE    answers as aiosmtpd does, once
 *   java Mail.java client PORT PROTOCOL SUITE    sends the mail
 *
 * in the folder with rsa.p12. PROTOCOL is SSLv3 to TLSv1.3 (or several with
 * commas, of which SSLv2Hello is a form of the first message), SUITE a cipher
 * suite or "any".
 */
public class Mail {
    static final String[] LINES = {
        "EHLO client.example", "MAIL FROM:<alice@client.example>", "RCPT TO:<bob@server.example>", "DATA",
        "From: alice@client.example\r\nTo: bob@server.example\r\nSubject: Minutes\r\nDate: Mon, 1 Jun 2026 10:00:00 +0000\r\n"
            + "Message-ID: <1@client.example>\r\n\r\n" + "The minutes of the meeting, line by line.\r\n".repeat(20) + ".",
        "QUIT",
    };

    public static void main(String[] args) throws Exception {
        // What is recorded here is off by default, for good reasons.
        Security.setProperty("jdk.tls.disabledAlgorithms", "");
        Security.setProperty("jdk.tls.legacyAlgorithms", "");
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(Path.of("rsa.p12"))) {
            store.load(in, "secret".toCharArray());
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, "secret".toCharArray());
        TrustManager[] all = {new X509ExtendedTrustManager() {
            public void checkClientTrusted(java.security.cert.X509Certificate[] c, String a) {}
            public void checkServerTrusted(java.security.cert.X509Certificate[] c, String a) {}
            public void checkClientTrusted(java.security.cert.X509Certificate[] c, String a, Socket s) {}
            public void checkServerTrusted(java.security.cert.X509Certificate[] c, String a, Socket s) {}
            public void checkClientTrusted(java.security.cert.X509Certificate[] c, String a, SSLEngine e) {}
            public void checkServerTrusted(java.security.cert.X509Certificate[] c, String a, SSLEngine e) {}
            public java.security.cert.X509Certificate[] getAcceptedIssuers() { return new java.security.cert.X509Certificate[0]; }
        }};
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), all, null);
        int port = Integer.parseInt(args[1]);
        String[] protocols = args[2].split(","), suites = {args[3]};
        if (args[0].equals("server")) {
            try (SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(port)) {
                listener.setEnabledProtocols(protocols);
                if (!suites[0].equals("any")) listener.setEnabledCipherSuites(suites);
                serve((SSLSocket) listener.accept());
            }
            return;
        }
        SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("server.example", port);
        socket.setEnabledProtocols(protocols);
        if (!suites[0].equals("any")) socket.setEnabledCipherSuites(suites);
        BufferedReader in = reader(socket);
        answer(in);
        for (String line : LINES) {
            say(socket, line);
            answer(in);
        }
        socket.close();
    }

    static BufferedReader reader(Socket s) throws IOException {
        return new BufferedReader(new InputStreamReader(s.getInputStream(), StandardCharsets.UTF_8));
    }

    static void say(Socket s, String line) throws IOException {
        s.getOutputStream().write((line + "\r\n").getBytes(StandardCharsets.UTF_8));
    }

    static void answer(BufferedReader in) throws IOException {
        for (String line = in.readLine(); line != null && line.length() > 3 && line.charAt(3) != ' ';) line = in.readLine();
    }

    static void serve(SSLSocket s) throws IOException {
        BufferedReader in = reader(s);
        say(s, "220 server.example ESMTP");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            switch (line.split(" ")[0]) {
            case "EHLO" -> {
                for (String offer : new String[] {"-server.example", "-SIZE 33554432", "-8BITMIME", " HELP"}) say(s, "250" + offer);
            }
            case "DATA" -> {
                say(s, "354 End data with <CR><LF>.<CR><LF>");
                while (!in.readLine().equals(".")) {}
                say(s, "250 OK");
            }
            case "QUIT" -> {
                say(s, "221 Bye");
                s.close();
                return;
            }
            default -> say(s, "250 OK");
            }
        }
    }
}
