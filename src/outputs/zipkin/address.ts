/** How the output names its backend in errors and health: everything but what a URL may hide in its user part and query. */
export function printableAddress(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
