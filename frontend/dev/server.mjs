// Serves the built bundle inside a page that treats it as TensorBoard does: an iframe without
// title or language, the same security policy, a hash that is ours to keep, and a dark mode
// that is a class of <body>. Open http://localhost:6007/?set=all (also: one, empty, many, huge).
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { SETS, series } from './fixtures.mjs';

const PORT = Number(process.env.PORT ?? 6007);
const BUNDLE = new URL('../../tensorboard_gradhealth/static/index.js', import.meta.url);
const POLICY =
  "default-src 'self'; font-src 'self' data:; img-src 'self' data: blob:; object-src 'none'; " +
  "style-src 'self' data: 'unsafe-inline'; connect-src 'self'; script-src 'self' 'unsafe-inline'";

const page = (set) => `<!doctype html><html lang="en"><title>Like TensorBoard</title>
<style>body{margin:0;font:14px system-ui}header{height:64px;background:#ef6c00;color:#fff;display:flex;align-items:center;gap:24px;padding:0 16px;box-sizing:border-box}
.dark-mode header{background:#ab4b00}iframe{border:0;width:100%;height:calc(100vh - 64px);display:block}</style>
<body><header>Like TensorBoard <button onclick="document.body.classList.toggle('dark-mode')">Dark</button>
<button onclick="port.postMessage(JSON.stringify({type:'experimental.DataReloaded',id:1,payload:null,isReply:false}))">Reload</button></header>
<iframe src="sets/${set}/data/plugin_entry.html?name=gradhealth"></iframe>
<script>if(location.search.includes('dark'))document.body.classList.add('dark-mode');
window.onmessage=e=>{if(e.data==='experimental.bootstrap')window.port=e.ports[0]}</script>`;

const ENTRY = `<!doctype html><head><base href="plugin/gradhealth/"></head><body>
<script type="module">import('./static/index.js').then((m) => void m.render());</script></body>`;

function answer(set, route, query) {
  const runs = SETS[set];
  const run = runs.find((candidate) => candidate.run === query.get('run'));
  if (route === 'runs') return json({ version: '0.1.0', runs: runs.map(summary) });
  if (!run)
    return { status: 404, type: 'text/plain', body: `There is no run "${query.get('run')}".` };
  if (route === 'run')
    return json({ ...run, kind: undefined, points: undefined, counts: undefined });
  const body = series(run, query.get('signal'), (query.get('fields') || 'mean,min,max').split(','));
  return { status: 200, type: 'application/octet-stream', body };
}

function summary({ run, last_step, kept, written, verdict, headline, counts, reason }) {
  return { run, last_step, kept, written, verdict, headline, counts, reason };
}

function json(value) {
  const strings = (_key, item) =>
    typeof item === 'number' && !Number.isFinite(item) ? String(item) : item;
  return { status: 200, type: 'application/json', body: JSON.stringify(value, strings) };
}

function handle(request, response) {
  const url = new URL(request.url, 'http://localhost');
  const send = ({ status, type, body }) =>
    response
      .writeHead(status, { 'content-type': type, 'content-security-policy': POLICY })
      .end(body);
  const html = (body) => send({ status: 200, type: 'text/html; charset=utf-8', body });
  const [, , set, , last, , route] = url.pathname.split('/');
  if (url.pathname === '/') return html(page(url.searchParams.get('set') ?? 'all'));
  if (last === 'plugin_entry.html') return html(ENTRY);
  if (route === 'static') {
    response.writeHead(200, {
      'content-type': 'text/javascript',
      'content-security-policy': POLICY,
    });
    return createReadStream(BUNDLE).pipe(response);
  }
  if (last === 'plugin' && SETS[set]) return send(answer(set, route, url.searchParams));
  return send({ status: 404, type: 'text/plain', body: 'Not found' });
}

createServer(handle).listen(PORT, () => console.log(`http://localhost:${PORT}/?set=all`));
