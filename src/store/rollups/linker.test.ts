import { describe, expect, it } from 'vitest';
import { type LinkerSpan, linkTrace } from './linker.ts';

const span = (fields: Partial<LinkerSpan> & { id: string }): LinkerSpan => ({
  parentId: undefined,
  kind: undefined,
  shared: false,
  hasError: false,
  localService: '',
  localIpv4: '',
  localIpv6: '',
  localPort: 0,
  remoteService: '',
  ...fields,
});

const callsOf = (spans: readonly LinkerSpan[]) =>
  linkTrace(spans)
    .map(({ caller, callee, isError }) => `${caller} -> ${callee}${isError ? ' !' : ''}`)
    .sort();

describe('linkTrace', () => {
  it('takes the server’s name for itself where client and server have spans of their own, as under Istio', () => {
    expect(
      callsOf([
        span({ id: '1', kind: 'SERVER', localService: 'productpage' }),
        span({
          id: '2',
          parentId: '1',
          kind: 'CLIENT',
          localService: 'productpage',
          remoteService: 'outbound|9080||reviews',
        }),
        span({ id: '3', parentId: '2', kind: 'SERVER', localService: 'reviews' }),
      ]),
    ).toEqual(['productpage -> reviews']);
  });

  it('counts a call once where both halves share an id', () => {
    expect(
      callsOf([
        span({ id: '1', kind: 'CLIENT', localService: 'web', hasError: true }),
        span({ id: '1', kind: 'SERVER', localService: 'app', shared: true }),
      ]),
    ).toEqual(['web -> app']);
  });

  it('counts a call that was reported twice, and in parts, once', () => {
    const half = span({ id: '2', kind: 'CLIENT', localService: 'app', parentId: '1' });
    const server = span({ id: '1', kind: 'SERVER', localService: 'app', remoteService: 'web' });
    const rest = span({ id: '2', remoteService: 'db', hasError: true });
    expect(callsOf([server, half, server, rest, half])).toEqual(['app -> db !', 'web -> app']);
  });

  it('calls the remote service by its name where it has no span', () => {
    expect(callsOf([span({ id: '1', kind: 'CLIENT', localService: 'ratings', remoteService: 'mongodb' })])).toEqual([
      'ratings -> mongodb',
    ]);
  });

  it('sees through spans without a kind', () => {
    expect(
      callsOf([
        span({ id: '1', kind: 'SERVER', localService: 'a' }),
        span({ id: '2', parentId: '1', localService: 'a' }),
        span({ id: '3', parentId: '2', localService: 'a' }),
        span({ id: '4', parentId: '3', kind: 'SERVER', localService: 'b' }),
      ]),
    ).toEqual(['a -> b']);
  });

  it('links a broker to both of its sides and never producer to consumer', () => {
    expect(
      callsOf([
        span({ id: '1', kind: 'PRODUCER', localService: 'shop', remoteService: 'kafka' }),
        span({ id: '2', parentId: '1', kind: 'CONSUMER', localService: 'mail', remoteService: 'kafka' }),
        span({ id: '3', parentId: '1', kind: 'CONSUMER', localService: 'stock' }),
      ]),
    ).toEqual(['kafka -> mail', 'shop -> kafka']);
  });

  it('takes a failed client’s error for the server’s', () => {
    expect(
      callsOf([
        span({ id: '1', kind: 'CLIENT', localService: 'a', hasError: true }),
        span({ id: '2', parentId: '1', kind: 'SERVER', localService: 'b' }),
      ]),
    ).toEqual(['a -> b !']);
  });

  it('adds the call that a client’s other name gives away', () => {
    expect(
      callsOf([
        span({ id: '1', kind: 'SERVER', localService: 'a' }),
        span({ id: '2', parentId: '1', kind: 'CLIENT', localService: 'b', remoteService: 'c' }),
      ]),
    ).toEqual(['a -> b', 'b -> c']);
  });

  it('keeps one span of an id that several endpoints use without sharing it: the last one, with all that hangs off the id', () => {
    expect(
      callsOf([
        span({ id: '1', kind: 'SERVER', localService: 'a', remoteService: 'web' }),
        span({ id: '2', parentId: '1', kind: 'PRODUCER', localService: 'a', remoteService: 'lost' }),
        span({ id: '2', parentId: '1', kind: 'PRODUCER', localService: 'b', remoteService: 'kafka' }),
        span({ id: '3', parentId: '2', kind: 'SERVER', localService: 'c' }),
      ]),
    ).toEqual(['b -> c', 'b -> kafka', 'web -> a']);
  });

  it('leaves out what hangs off the id of the root where another endpoint uses it, too', () => {
    expect(
      callsOf([
        span({ id: '1', kind: 'PRODUCER', localService: 'a', remoteService: 'kafka' }),
        span({ id: '1', kind: 'PRODUCER', localService: 'b', remoteService: 'lost' }),
        span({ id: '2', parentId: '1', kind: 'CLIENT', localService: 'b', remoteService: 'lost' }),
        span({ id: '3', parentId: '9', kind: 'SERVER', localService: 'c' }),
      ]),
    ).toEqual(['a -> c', 'a -> kafka']);
  });

  it('says the same in whatever order the spans came', () => {
    const spans = [
      span({ id: '1', kind: 'CLIENT', localService: 'a', localIpv4: String(0x0a00000a), remoteService: 'x' }),
      span({ id: '1', kind: 'CLIENT', localService: 'a', localIpv4: String(0x0a000002), remoteService: 'y' }),
      span({ id: '1', parentId: '4', kind: 'CLIENT', localIpv4: '7', localPort: 80, remoteService: 'z' }),
      span({ id: '1', parentId: '4', localIpv4: '7', localPort: 80, localService: 'b', remoteService: 'z' }),
      span({ id: '2', parentId: '1', kind: 'SERVER', localService: 'c' }),
    ];
    expect(callsOf([...spans].reverse())).toEqual(callsOf(spans));
  });

  it('comes to an end on spans that are each other’s parents', () => {
    expect(
      callsOf([
        span({ id: '1', parentId: '2', kind: 'SERVER', localService: 'a' }),
        span({ id: '2', parentId: '1', kind: 'SERVER', localService: 'b' }),
        span({ id: '3', parentId: '3', kind: 'CLIENT', localService: 'c', remoteService: 'd' }),
      ]),
    ).toEqual(['c -> d']);
  });
});
