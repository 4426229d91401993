// The first receipt, C# 5 and .NET Framework 4.5 or later; the caller's auth is hmac-sha256.
// FirstReceipt HOST PORT APPID KEYFILE UNIT POINT KIND KEY
using System;
using System.IO;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

static class FirstReceipt
{
    static HMACSHA256 mac;
    static string prefix;
    static bool isSealed;
    static int id = 0;
    static StreamReader reader;
    static Stream stream;

    static void Main(string[] a)
    {
        mac = new HMACSHA256(Encoding.ASCII.GetBytes(File.ReadAllText(a[3]).Trim()));
        using (var line = new TcpClient(a[0], int.Parse(a[1])))
        {
            line.ReceiveTimeout = 10000;
            stream = line.GetStream();
            reader = new StreamReader(stream, new UTF8Encoding(false));
            string hello = reader.ReadLine();
            prefix = "fep1|" + a[2] + "|" + Find(hello, "challenge");
            Call("system.auth", "{\"appid\":\"" + a[2] + "\",\"alg\":\"hmac-sha256\",\"mac\":\"" + Hex(prefix) + "\"}");
            isSealed = hello.Contains("\"frame_mac\":true");
            string answer = Call("receipt.issue", "{\"key\":\"" + a[7] + "\",\"unit\":\"" + a[4] + "\",\"point\":\"" + a[5]
                + "\",\"kind\":\"" + a[6] + "\",\"payer\":{\"name\":\"张三\"},\"total\":\"12.30\","
                + "\"items\":[{\"code\":\"0101\",\"name\":\"诊察费\",\"amount\":\"12.30\"}],"
                + "\"channels\":[{\"code\":\"02\",\"amount\":\"12.30\"}]}");
            Console.WriteLine(Find(answer, "code") + " " + Find(answer, "number") + " " + Find(answer, "check_code"));
        }
    }

    // Sends a call and returns its answer; a refusal is thrown with its stable code.
    static string Call(string method, string parameters)
    {
        string text = "{\"jsonrpc\":\"2.0\",\"id\":" + (++id) + ",\"method\":\"" + method + "\",\"params\":" + parameters;
        // Off this machine and without TLS every call carries seq and mac. The login was call 1.
        text += isSealed ? ",\"seq\":" + (id - 1) + "}" : "}";
        if (isSealed) text = text.Substring(0, text.Length - 1) + ",\"mac\":\"" + Hex(prefix + "|" + text) + "\"}";
        byte[] bytes = Encoding.UTF8.GetBytes(text + "\n");
        stream.Write(bytes, 0, bytes.Length);
        string answer = reader.ReadLine();
        if (answer == null) throw new IOException("no answer: connect again, send the same key again");
        if (answer.Contains("\"error\":")) throw new IOException(Find(answer, "fault") + " " + answer);
        return answer;
    }

    static string Hex(string text)
    {
        return BitConverter.ToString(mac.ComputeHash(Encoding.UTF8.GetBytes(text))).Replace("-", "").ToLowerInvariant();
    }

    static string Find(string text, string name)
    {
        return Regex.Match(text, "\"" + name + "\":\"([^\"]*)\"").Groups[1].Value;
    }
}
