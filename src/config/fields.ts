/**
 * The pieces that component schemas are made of. Each component declares one `z.strictObject` with them in its `config.ts`; every key
 * has `.describe(...)`, and `.meta({ example, since })` where it helps. `component(schema, notes)` adds what concerns the whole block.
 */
import { z } from 'zod';
import { compilePattern } from '../pattern/pattern.ts';
import { parseDurationMs, parseSizeBytes } from './quantity.ts';
import { createSecret, isSecret, type Secret } from './secret.ts';

/** What the loader and the generated documents know of a key, beside zod's `description`. */
export interface KeyNotes {
  /** Written into the sample file in place of the default, as TOML would have it. */
  readonly example?: unknown;
  /** Trawl's version that brought the key; left out for those of the first one. */
  readonly since?: string;
  /** How the reference names the type, e.g. `duration`. */
  readonly typeName?: string;
  /** The value is never printed, not even in a problem's code frame. */
  readonly secret?: boolean;
  /** Looks at a valid value and returns a warning's sentence about it, if there is one to give. */
  readonly caution?: (value: unknown) => string | undefined;
}

/** What the loader knows of a block as a whole. */
export interface BlockNotes {
  /** DataKit's keys that Trawl does not have (dotted below the block), each with the reason or ''. They cost a warning; the block still runs. */
  readonly dataKitOnly?: Readonly<Record<string, string>>;
  /** Keys of the schema whose behaviour is not there yet: using one costs a warning. */
  readonly laterKeys?: readonly string[];
  /** Other names the block may have, e.g. DataKit's `container` for `container_logs`. */
  readonly aliases?: readonly string[];
  /** Whether the shipped file switches the component on. */
  readonly isShippedOn?: boolean;
}

declare module 'zod' {
  // zod's own way of typing what `.meta()` takes.
  interface GlobalMeta extends KeyNotes, BlockNotes {}
}

/** Says what concerns a block as a whole: `component(z.strictObject({...}), { dataKitOnly, laterKeys, aliases })`. */
export function component<Schema extends z.ZodType>(schema: Schema, notes: BlockNotes): Schema {
  return schema.meta({ ...notes });
}

/** `"10s"`, `"1m30s"`, `"7d"` → milliseconds. A bare number has no unit and is refused. */
export function duration(limits: { readonly minMs?: number; readonly maxMs?: number } = {}) {
  return z
    .unknown()
    .transform((value, context): number => {
      const parsed = parseDurationMs(value, limits);
      if (parsed.ok) return parsed.value;
      context.addIssue({ code: 'custom', message: parsed.message });
      return z.NEVER;
    })
    .meta({ typeName: 'duration' });
}

/** `"64MiB"`, `"1GB"` or a number of bytes → bytes. */
export function size(limits: { readonly minBytes?: number; readonly maxBytes?: number } = {}) {
  return z
    .unknown()
    .transform((value, context): number => {
      const parsed = parseSizeBytes(value, limits);
      if (parsed.ok) return parsed.value;
      context.addIssue({ code: 'custom', message: parsed.message });
      return z.NEVER;
    })
    .meta({ typeName: 'size' });
}

/** Text, or `{ file = "…" }`, or `{ env = "…" }`; the loader has replaced the latter two before the schema sees them. */
export function secret() {
  return z
    .unknown()
    .transform((value, context): Secret => {
      if (isSecret(value)) return value;
      if (typeof value === 'string') return createSecret(value);
      context.addIssue({ code: 'custom', message: 'must be text, { file = "…" } or { env = "…" }' });
      return z.NEVER;
    })
    .meta({ secret: true, typeName: 'secret' });
}

/** An absolute URL without credentials, by default http or https. It stays text, exactly as written; '' is taken where `mayBeEmpty`. */
export function url(options: { readonly protocols?: readonly string[]; readonly mayBeEmpty?: boolean } = {}) {
  const protocols = options.protocols ?? ['http:', 'https:'];
  const expected = protocols.map((protocol) => `${protocol}//`).join(' or ');
  return z
    .string()
    .superRefine((value, context) => {
      if (value === '' && options.mayBeEmpty === true) return;
      const parsed = URL.parse(value);
      if (parsed === null || !protocols.includes(parsed.protocol)) {
        context.addIssue({ code: 'custom', message: `must be a URL that starts with ${expected}` });
      } else if (parsed.hostname === '') {
        context.addIssue({ code: 'custom', message: 'has no host' });
      } else if (parsed.username !== '' || parsed.password !== '') {
        // Addresses are written into logs, labels and answers.
        context.addIssue({
          code: 'custom',
          message: 'must not hold a user or password: addresses are shown; send credentials as a header',
        });
      }
    })
    .meta({ typeName: 'URL' });
}

/** A table of texts. Numbers and booleans are taken as their text, as DataKit does. */
export function tags() {
  return z
    .record(
      z.string().min(1, 'needs a name'),
      z.union([z.string(), z.number().transform(String), z.boolean().transform(String)], {
        error: 'must be text, e.g. "a"',
      }),
    )
    .meta({ typeName: 'table of texts' });
}

/** HTTP header names and their values, which are secrets, since most of them carry credentials. */
export function headers() {
  return z
    .record(
      z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'is not a name that an HTTP header can have'),
      secret().refine((value) => /^[\t\x20-\x7e\x80-\xff]*$/.test(value.reveal()), {
        error: 'holds a line break or another character that no HTTP header can have',
      }),
    )
    .meta({ secret: true, typeName: 'table of secrets' });
}

/** A regular expression in Go's syntax, as DataKit and Prometheus have it; it stays as written. */
export function pattern(options: { readonly isAnchored: boolean }) {
  return z
    .string()
    .superRefine((value, context) => {
      const compiled = compilePattern(value, options);
      if (compiled.ok) return;
      const why = compiled.message.replace('error parsing regexp: ', '');
      context.addIssue({ code: 'custom', message: `is not a regular expression: ${why}` });
    })
    .meta({ typeName: 'regular expression' });
}

/** `host:port`, `:port` (every address) or `[ipv6]:port`; '' switches a listener off where `mayBeOff`. */
export function listenAddress(options: { readonly mayBeOff?: boolean } = {}) {
  return z
    .string()
    .superRefine((value, context) => {
      if (value === '' && options.mayBeOff === true) return;
      const port = Number(/^(?:\[[0-9a-fA-F:.%\w]+\]|[^:[\]\s/]*):(\d{1,5})$/.exec(value)?.[1] ?? Number.NaN);
      if (!(port <= 65535)) {
        context.addIssue({ code: 'custom', message: 'must be host:port, e.g. "127.0.0.1:9529"' });
      }
    })
    .meta({ typeName: 'address' });
}

/** A whole number within limits. */
export function count(min: number, max: number = Number.MAX_SAFE_INTEGER) {
  return z.int().min(min).max(max).meta({ typeName: 'integer' });
}

/** The TLS keys of a component that is an HTTP client, named as DataKit's newer configurations name them. */
export function tlsKeys() {
  return {
    ca_certs: z
      .array(z.string())
      .default([])
      .describe("PEM files with the certificate authorities to trust, in place of Node's own list.")
      .meta({ example: ['/etc/trawl/ca.pem'] }),
    cert: z.string().default('').describe('A PEM file with our certificate, for mutual TLS.'),
    cert_key: z.string().default('').describe('A PEM file with the key of `cert`.'),
    server_name: z
      .string()
      .default('')
      .describe('The name the certificate must be for, where it is not the host of the URL.'),
    insecure_skip_verify: z
      .boolean()
      .default(false)
      .describe('Takes any certificate. Whoever can reach the wire can then read and alter what is sent.'),
  };
}

/** `auth = { type = "bearer_token", token = "…" }` or with `token_file`, which is read again whenever it changes. */
export function bearerAuth() {
  return z
    .strictObject({
      type: z.literal('bearer_token').default('bearer_token').describe('The only type so far.'),
      token: secret().optional().describe('The token.'),
      token_file: z.string().optional().describe('A file that holds the token; read again when it changes.'),
    })
    .superRefine((value, context) => {
      if ((value.token === undefined) === (value.token_file === undefined)) {
        context.addIssue({ code: 'custom', message: 'needs exactly one of token and token_file' });
      }
    })
    .meta({ typeName: 'table' });
}

/** What an input that takes spans by POST takes in one body. */
export const spanBodyLimits = {
  body_limit: size({ minBytes: 1024 })
    .prefault('10MiB')
    .describe('The largest body as it is on the wire, compressed or not. A larger one is refused with 413.'),
  inflated_limit: size({ minBytes: 1024 })
    .prefault('40MiB')
    .describe('The largest body after inflating. A larger one is refused with 413.'),
  max_spans: z
    .int()
    .min(1)
    .prefault(100_000)
    .describe(
      'The most spans in one body. More are refused with 413: what a span costs does not depend on its size, and 40 MiB hold 1.7 million of the smallest.',
    ),
  max_span_parts: z
    .int()
    .min(1)
    .prefault(20_000)
    .describe(
      'The most tags, events with their attributes, or links of one span. More are refused with 413: a span is decoded, written and answered with in one piece, during which nobody else is served.',
    ),
};
