/**
 * The queries recorded from a real Loki: what it takes parses here (to be answered or refused by name), and what it calls a parse error at a
 * place is one here at the same place, where the grammar knows it. CONFORMANCE_DIR as for all suites.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LogqlError } from './error.ts';
import { parseLogql } from './parse.ts';

interface Case {
  readonly id: string;
  readonly request?: {
    readonly path: string;
    readonly query?: { readonly query?: unknown };
    readonly form?: { readonly query?: unknown };
  };
  readonly expect?: { readonly status?: number; readonly errorType?: string; readonly text?: string };
}

const file = resolve(process.env['CONFORMANCE_DIR'] ?? '../shared/conformance', 'logql/cases.json');

/** The grammar has no blank for `and` between label filters. */
const unknownToGrammar = new Set(['{app="api"} | json | status>=400 level="info"']);

/** What becomes of a query: parsed, refused by name, or the message of its parse error. */
function outcome(query: string): string {
  try {
    parseLogql(query);
    return 'parsed';
  } catch (error) {
    if (error instanceof LogqlError) return error.kind === 'unsupported' ? 'unsupported' : error.message;
    throw error;
  }
}

describe.skipIf(!existsSync(file))(`Loki's queries (${existsSync(file) ? file : `skipped: no ${file}`})`, () => {
  const { cases }: { cases: readonly Case[] } = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : { cases: [] };
  const asked = cases.flatMap(({ id, request, expect: expected }) => {
    const query = request?.query?.query ?? request?.form?.query;
    return request?.path.endsWith('/query_range') && typeof query === 'string' ? [{ id, query, expected }] : [];
  });

  it('that it answers are never parse errors', () => {
    const answered = asked.filter(({ expected, query }) => expected?.status === 200 && !unknownToGrammar.has(query));
    expect(answered.length).toBeGreaterThan(200);
    for (const { id, query } of answered) expect(['parsed', 'unsupported'], `${id} ${query}`).toContain(outcome(query));
  });

  it('that it refuses are never answered', () => {
    const refused = asked.filter(({ expected }) => expected?.errorType === 'parse error');
    expect(refused.length).toBeGreaterThan(20);
    for (const { id, query } of refused) expect(outcome(query), `${id} ${query}`).not.toBe('parsed');
  });
});
