/** What an unknown path or method is answered with: a sentence, and the routes that come nearest. */
import type { Answer } from './answer.ts';
import { servesPath, zipkinPaths } from './listener.ts';

/** One route as far as finding it goes. */
export interface KnownRoute {
  readonly method: string;
  readonly path: string;
}

const comparedLength = 64;

/** Answers a request that no route takes. On Zipkin's paths another method is 404 as in Zipkin (reference: traces 1.1), elsewhere 405. */
export function answerNotFound(method: string, path: string, routes: readonly KnownRoute[]): Answer {
  const shown = printable(path);
  const methods = [...new Set(routes.filter((route) => matchesPattern(route.path, path)).map((route) => route.method))];
  if (methods.length > 0) {
    const allow = methods.sort().join(', ');
    const body = `${printable(method)} ${shown} is not served here; this path takes ${allow}\n`;
    return servesPath(zipkinPaths, path) ? { status: 404, body } : { status: 405, body, headers: { Allow: allow } };
  }
  const nearest = nearestRoutes(path, routes)
    .map((route) => `  ${route.method} ${route.path.replaceAll(/:(\w+)/g, '{$1}')}\n`)
    .join('');
  return { status: 404, body: `there is no ${shown} here; the nearest routes are:\n${nearest}` };
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
