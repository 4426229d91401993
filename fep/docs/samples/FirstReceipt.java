import java.io.*;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.regex.*;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** The first receipt, Java 8, nothing but the JDK; the caller's auth is hmac-sha256.
 *  java FirstReceipt HOST PORT APPID KEYFILE UNIT POINT KIND KEY */
public class FirstReceipt {
    static Mac mac;
    static String prefix;
    static boolean sealed;
    static int id = 0;
    static OutputStream out;
    static BufferedReader in;

    public static void main(String[] a) throws Exception {
        byte[] key = new String(Files.readAllBytes(Paths.get(a[3])), "US-ASCII").trim().getBytes("US-ASCII");
        mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        try (Socket line = new Socket(a[0], Integer.parseInt(a[1]))) {
            line.setSoTimeout(10000);
            out = line.getOutputStream();
            in = new BufferedReader(new InputStreamReader(line.getInputStream(), StandardCharsets.UTF_8));
            String hello = in.readLine();
            prefix = "fep1|" + a[2] + "|" + find(hello, "\"challenge\":\"([^\"]*)\"");
            call("system.auth", "{\"appid\":\"" + a[2] + "\",\"alg\":\"hmac-sha256\",\"mac\":\"" + hex(prefix) + "\"}");
            sealed = hello.contains("\"frame_mac\":true");
            String answer = call("receipt.issue", "{\"key\":\"" + a[7] + "\",\"unit\":\"" + a[4] + "\",\"point\":\"" + a[5]
                + "\",\"kind\":\"" + a[6] + "\",\"payer\":{\"name\":\"张三\"},\"total\":\"12.30\","
                + "\"items\":[{\"code\":\"0101\",\"name\":\"诊察费\",\"amount\":\"12.30\"}],"
                + "\"channels\":[{\"code\":\"02\",\"amount\":\"12.30\"}]}");
            System.out.println(find(answer, "\"code\":\"([^\"]*)\"") + " " + find(answer, "\"number\":\"([^\"]*)\"")
                + " " + find(answer, "\"check_code\":\"([^\"]*)\""));
        }
    }

    /** Sends a call and returns its answer; a refusal is thrown with its stable code. */
    static String call(String method, String params) throws Exception {
        String text = "{\"jsonrpc\":\"2.0\",\"id\":" + (++id) + ",\"method\":\"" + method + "\",\"params\":" + params;
        // Off this machine and without TLS every call carries seq and mac. The login was call 1.
        text += sealed ? ",\"seq\":" + (id - 1) + "}" : "}";
        if (sealed) text = text.substring(0, text.length() - 1) + ",\"mac\":\"" + hex(prefix + "|" + text) + "\"}";
        out.write((text + "\n").getBytes(StandardCharsets.UTF_8));
        String answer = in.readLine();
        if (answer == null) throw new EOFException("no answer: connect again, send the same key again");
        if (answer.contains("\"error\":")) throw new IOException(find(answer, "\"fault\":\"([^\"]*)\"") + " " + answer);
        return answer;
    }

    static String hex(String text) {
        StringBuilder found = new StringBuilder();
        for (byte b : mac.doFinal(text.getBytes(StandardCharsets.UTF_8))) found.append(String.format("%02x", b));
        return found.toString();
    }

    static String find(String text, String pattern) {
        Matcher match = Pattern.compile(pattern).matcher(text);
        return match.find() ? match.group(1) : "";
    }
}
