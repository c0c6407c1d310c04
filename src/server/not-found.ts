/** What an unknown path or method is answered with: a sentence, and the routes that come nearest. */
import type { Answer } from './answer.ts';
import { escapeHtml, htmlPage, htmlType, pageHeaders } from './html-page.ts';
import { hidesOtherMethods } from './listener.ts';

/** One route as far as finding it goes. */
export interface KnownRoute {
  readonly method: string;
  readonly path: string;
  /** Another path to a route that is listed by its own. */
  readonly isAlias?: boolean;
}

const comparedLength = 64;

/** A request that no route takes. */
export interface Stray {
  readonly method: string;
  readonly path: string;
  /** Whether a person with a browser asks, who is given a page with links. */
  readonly wantsHtml: boolean;
}

/** Answers a request that no route takes. Of Zipkin's API another method is 404, elsewhere 405. */
export function answerNotFound(stray: Stray, routes: readonly KnownRoute[]): Answer {
  const { method, path } = stray;
  const methods = [...new Set(routes.filter((route) => matchesPattern(route.path, path)).map((route) => route.method))];
  if (methods.length > 0) {
    const allow = methods.sort().join(', ');
    const sentence = `${printable(method)} ${printable(path)} is not served here; this path takes ${allow}`;
    const answer: Answer = {
      status: 405,
      ...(stray.wantsHtml ? wrongMethodPage(stray, allow) : { body: `${sentence}\n` }),
    };
    if (hidesOtherMethods(path)) return { ...answer, status: 404 };
    return { ...answer, headers: { ...answer.headers, Allow: allow } };
  }
  const nearest = nearestRoutes(path, routes);
  if (stray.wantsHtml) return { status: 404, ...unknownPathPage(stray, nearest) };
  const list = nearest.map((route) => `  ${route.method} ${patternText(route)}\n`).join('');
  const told = hintFor(path);
  const hint = told === undefined ? '' : `${told}\n`;
  return { status: 404, body: `there is no ${printable(path)} here; the nearest routes are:\n${list}${hint}` };
}

/** What is said to those who look for what is known not to be here: a viewer's page after a move from it, a signal that is not taken. */
function hintFor(path: string): string | undefined {
  if (/^(\/otel)?\/v1\/logs$/.test(path))
    return 'logs over OTLP are not taken here; traces are, on POST /v1/traces, and metrics, on POST /v1/metrics';
  if (/^\/zipkin(\/(?!api\/)|$)/.test(path))
    return "Zipkin's page is no part of Trawl, its API is: let the page ask here";
  if (/^\/(jaeger|search|trace|monitor)(\/|$)/.test(path)) {
    return "Jaeger's page is no part of Trawl, its API is: let the page ask here";
  }
  return undefined;
}

interface Page {
  readonly body: string;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
}

const startPage = '<p><a href="/">The start page</a> says how to send a span and what can be asked.</p>';

function page(title: string, body: string): Page {
  const content = `<h1>${escapeHtml(title)}</h1>\n${body}\n${startPage}`;
  return { body: htmlPage(`${title} · Trawl`, content), contentType: htmlType, headers: pageHeaders };
}

function wrongMethodPage({ path }: Stray, allow: string): Page {
  const shown = escapeHtml(printable(path));
  return page(
    'This address is for programs',
    `<p><code>${shown}</code> takes ${allow} only, and a browser asks with GET. Nothing is wrong with the agent.</p>`,
  );
}

function unknownPathPage({ path }: Stray, nearest: readonly KnownRoute[]): Page {
  const items = nearest.map((route) => {
    const text = escapeHtml(patternText(route));
    const isLink = route.method === 'GET' && !route.path.includes(':');
    return `<li>${isLink ? `<a href="${text}">${text}</a>` : `<code>${route.method} ${text}</code>`}</li>`;
  });
  const hint = hintFor(path);
  return page(
    'There is no such page',
    `<p>Trawl has nothing at <code>${escapeHtml(printable(path))}</code>. What comes nearest:</p>
<ul>
${items.join('\n')}
</ul>${hint === undefined ? '' : `\n<p>${escapeHtml(hint)}.</p>`}`,
  );
}

/** A route as people write it: `/api/v2/trace/{id}`. */
function patternText(route: KnownRoute): string {
  return route.path.replaceAll(/:(\w+)/g, '{$1}');
}

/** Whether a path fits a pattern with `:name` parts. */
export function matchesPattern(pattern: string, path: string): boolean {
  if (!pattern.includes(':')) return pattern === path;
  const wanted = pattern.split('/');
  const given = path.split('/');
  return (
    wanted.length === given.length &&
    wanted.every((part, i) => part === given[i] || (part.startsWith(':') && given[i] !== ''))
  );
}

function nearestRoutes(path: string, routes: readonly KnownRoute[]): readonly KnownRoute[] {
  const start = path.slice(0, comparedLength).toLowerCase();
  return routes
    .map((route) => ({ route, distance: editDistance(start, route.path.slice(0, comparedLength).toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 4)
    .map(({ route }) => route);
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** A stranger's text for an answer or a log line: short, and nothing that a terminal would obey. */
export function printable(text: string): string {
  const plain = text.replaceAll(/[^\x20-\x7e]/g, '?');
  return plain.length > 120 ? `${plain.slice(0, 120)}…` : plain;
}
