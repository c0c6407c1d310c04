/** What a person sees who opens the agent's address. */
import { escapeHtml, htmlPage } from './html-page.ts';
import { type ListenerAddress, servesPath } from './listener.ts';

export interface Landing {
  readonly version: string;
  /** The Host header: any text. Shown only if it can be typed as it stands. */
  readonly host: string | undefined;
  readonly addresses: readonly ListenerAddress[];
  /** What the listener that is asked serves; links to the rest go to the one that serves everything. */
  readonly paths: ListenerAddress['paths'];
}

const links: readonly (readonly [path: string, what: string])[] = [
  ['/api/trawl/status', 'each input and output: when it last saw data, and what last went wrong'],
  ['/api/trawl/targets', 'what is scraped, whether that works, and if not, why'],
  ['/-/ready', 'whether everything works, and if not, why'],
  ['/-/healthy', 'whether the process is alive'],
  ['/metrics', 'its own metrics, for Prometheus'],
  ['/api/v2/services', 'the services that sent spans'],
  ['/api/trawl/topology', 'who calls whom, how often, how well and how fast'],
  ['/api/trawl/measurements', 'the metrics that are kept, with their fields, tags and last sample'],
  ['/api/v1/query?query=up', 'PromQL, answered as Prometheus does'],
  ['/api/trawl/promql/explain?query=up', 'how such a query is answered, and what each part takes'],
  ['/api/trawl/openapi.json', 'its own routes, for programs'],
];

/** Where the span is found that the page says to send. */
const firstTrace = '/api/v2/trace/463ac35c9f6413ad';

/** The page as text, for curl. */
export function landingText(landing: Landing): string {
  const url = urlOf(landing);
  return [
    `Trawl ${landing.version}: takes in traces, metrics and logs, keeps them, and answers queries about them.`,
    '',
    'Send a span:',
    indent(firstSpan(baseOf(landing, '/api/v2/spans', url))),
    '',
    'Find it again, about a second later:',
    indent(`curl ${baseOf(landing, firstTrace, url)}${firstTrace}`),
    '',
    'Send metrics:',
    ...metricsWays(landing, url).flatMap(([how, block]) => [indent(how), indent(indent(block)), '']),
    'Ask:',
    ...links.map(([path, what]) => `  ${baseOf(landing, path, url)}${path}  ${what}`),
    '',
    'Ask from Grafana:',
    ...grafanaLines(landing, url).map(indent),
    '',
  ].join('\n');
}

/** The page for a browser. */
export function landingPage(landing: Landing): string {
  const url = urlOf(landing);
  const items = links
    .map(([path, what]) => {
      const target = escapeHtml(`${baseOf(landing, path, '')}${path}`);
      return `<li><a href="${target}">${escapeHtml(path)}</a> ${escapeHtml(what)}</li>`;
    })
    .join('\n');
  const metrics = metricsWays(landing, url)
    .map(([how, block]) => `<p>${escapeHtml(how)}</p>\n<pre>${escapeHtml(block)}</pre>`)
    .join('\n');
  const grafana = grafanaLines(landing, url)
    .map((line) => `<li>${escapeHtml(line)}</li>`)
    .join('\n');
  return htmlPage(
    'Trawl',
    `<h1>Trawl ${escapeHtml(landing.version)}</h1>
<p>Takes in traces, metrics and logs, keeps them, and answers queries about them.</p>
<h2>Send a span</h2>
<pre>${escapeHtml(firstSpan(baseOf(landing, '/api/v2/spans', url)))}</pre>
<p>About a second later it is at <a href="${escapeHtml(`${baseOf(landing, firstTrace, '')}${firstTrace}`)}">${firstTrace}</a>.</p>
<h2>Send metrics</h2>
${metrics}
<h2>Ask</h2>
<ul>
${items}
</ul>
<h2>Ask from Grafana</h2>
<ul>
${grafana}
</ul>`,
  );
}

function firstSpan(url: string): string {
  return `curl ${url}/api/v2/spans \\
  -H 'Content-Type: application/json' -d '[{
  "traceId": "463ac35c9f6413ad", "id": "a2fb4a1d1a96d312",
  "name": "get /", "kind": "SERVER",
  "timestamp": '$(date +%s)'000000, "duration": 2000,
  "localEndpoint": {"serviceName": "hello"}}]'`;
}

/** How metrics come here: what is to be written, and where. */
function metricsWays(landing: Landing, url: string): readonly (readonly [how: string, block: string])[] {
  const write = '/api/v1/write';
  return [
    [
      'From Prometheus, or what writes like it, in its configuration:',
      `remote_write:\n  - url: ${baseOf(landing, write, url)}${write}`,
    ],
    [
      "Or have them scraped, in a file of the agent's configuration directory; pods say so in their annotations:",
      '[[inputs.prom]]\nurls = ["http://127.0.0.1:9100/metrics"]',
    ],
  ];
}

/** Its data sources, and what it needs from afar. */
function grafanaLines(landing: Landing, url: string): readonly string[] {
  return [
    `metrics: a data source of type Prometheus with the URL ${baseOf(landing, '/api/v1/query', url)}`,
    `traces: one of type Jaeger or Zipkin with the URL ${baseOf(landing, '/api/traces', url)}`,
    'from another machine: with the header "Authorization: Bearer TOKEN", one of [http] query_tokens',
  ];
}

/** What stands before a link: `own`, unless only another listener serves the path. */
function baseOf({ paths, addresses }: Landing, link: string, own: string): string {
  const [path = ''] = link.split('?');
  if (servesPath(paths, path)) return own;
  return addresses.find((address) => address.paths === 'all')?.url ?? own;
}

function urlOf({ host, addresses }: Landing): string {
  if (host !== undefined && /^[a-z0-9.-]+(:\d{1,5})?$|^\[[0-9a-f:]+\](:\d{1,5})?$/i.test(host)) return `http://${host}`;
  return addresses[0]?.url ?? 'http://127.0.0.1:9529';
}

function indent(block: string): string {
  return block.replaceAll(/^/gm, '  ');
}
