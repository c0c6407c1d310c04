/** DataKit's inputs whose names are near to one of Trawl's, so that they are not taken for slips of the pen. */
export const knownDataKitInputs: ReadonlySet<string> = new Set([
  'promv2',
  'proxy',
  'ping',
  'profile',
  'container',
  'kubernetesprometheus',
  'logging',
  'logfwd',
  'logfwdserver',
  'logstreaming',
  'jaeger',
  'skywalking',
  'ddtrace',
  'opentelemetry',
  'pinpoint',
  'rum',
]);
