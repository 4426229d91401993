// The first receipt, Node; the caller's auth is hmac-sha256.
// node first_receipt.js HOST PORT APPID KEYFILE UNIT POINT KIND KEY
const net = require('net'), fs = require('fs'), crypto = require('crypto');
const [host, port, appid, keyFile, unit, point, kind, key] = process.argv.slice(2);
const secret = fs.readFileSync(keyFile, 'ascii').trim();
const mac = (text) => crypto.createHmac('sha256', secret).update(text, 'utf8').digest('hex');
let prefix = '', sealed = false, id = 0, seq = 0;

function send(method, params) {
  const call = { jsonrpc: '2.0', id: ++id, method, params };
  if (!sealed) return line.write(JSON.stringify(call) + '\n');
  // Off this machine and without TLS every call carries seq and mac, mac being the last member.
  const text = JSON.stringify({ ...call, seq: ++seq });
  line.write(text.slice(0, -1) + ',"mac":"' + mac(prefix + '|' + text) + '"}\n');
}

function heard(told) {
  if (told.error) { console.error(told.error.data.fault, told.error.message); process.exit(1); }
  if (told.method === 'system.hello') {
    prefix = 'fep1|' + appid + '|' + told.params.challenge;
    send('system.auth', { appid, alg: 'hmac-sha256', mac: mac(prefix) });
    sealed = told.params.frame_mac;
  } else if (told.id === 1) {
    send('receipt.issue', {
      key, unit, point, kind, payer: { name: '张三' }, total: '12.30',
      items: [{ code: '0101', name: '诊察费', amount: '12.30' }],
      channels: [{ code: '02', amount: '12.30' }],
    });
  } else if (told.id === 2) {
    const receipt = told.result.receipt;
    console.log(receipt.code, receipt.number, receipt.check_code);
    line.end();
  }
}

const line = net.connect(Number(port), host);
let rest = Buffer.alloc(0);
line.on('data', (data) => {
  rest = Buffer.concat([rest, data]);
  for (let end; (end = rest.indexOf(10)) >= 0; rest = rest.subarray(end + 1)) {
    heard(JSON.parse(rest.subarray(0, end).toString('utf8')));
  }
});
line.on('error', (why) => { console.error(String(why)); process.exit(1); });
line.setTimeout(10000, () => { console.error('no answer: connect again, send the same key again'); process.exit(1); });
