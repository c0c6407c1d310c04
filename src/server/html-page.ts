/** The shell of the few pages that the agent has for a person: no script, nothing from elsewhere, readable on a phone and in the dark. */

/** What a browser may do with such a page: nothing but show it. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  Vary: 'Accept',
};

export const htmlType = 'text/html; charset=utf-8';

const style = `:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:46rem;padding:0 1rem;overflow-wrap:anywhere}
h1{line-height:1.2}
pre{background:#8882;border-radius:.3rem;padding:.8rem;overflow-x:auto;overflow-wrap:normal;font-size:.9rem}
ul{padding-left:1.2rem}
li{margin:.5rem 0}`;

/** A whole page; `title` is plain text, `body` is HTML. */
export function htmlPage(title: string, body: string): string {
  // The empty icon keeps browsers from asking for /favicon.ico.
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>
${style}
</style>
</head>
<body>
${body}
</body>
</html>
`;
}

/** Whether whoever asks is a browser that a person sits at. */
export function wantsHtml(accept: string | undefined): boolean {
  return accept?.includes('text/html') === true;
}

/** Plain text as HTML shows it, in text and in quoted attributes. */
export function escapeHtml(plain: string): string {
  return plain.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
