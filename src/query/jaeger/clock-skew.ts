/**
 * Warnings of clocks that run apart and of spans that hang in the air (jaegerquery's internal/adjuster/clockskew.go). No time is changed,
 * which is what Jaeger does unless told how much it may change.
 */
import type { AnyValue, ResourceSpans, Span } from '../../codec/otlp/otlp.generated.ts';
import { bigOf } from '../../codec/protobuf/wire-writer.ts';
import { goDuration } from './go-text.ts';
import { attributeOf, type OtlpTrace, spansOf } from './otlp-trace.ts';
import { addWarning } from './warnings.ts';

interface Node {
  readonly span: Span;
  readonly host: string;
  readonly children: Node[];
}

interface Skew {
  readonly host: string;
  readonly deltaNs: bigint;
}

const nodesPerStep = 2000;

/** Adds the warnings, in steps between which others are served. */
export function* warnOfClockSkew(trace: OtlpTrace): Generator<void, void> {
  const open: Open[] = rootsOf(trace).map((node) => ({
    node,
    parent: undefined,
    skew: { host: node.host, deltaNs: 0n },
  }));
  yield;
  let done = 0;
  // A loop, since a trace may be deeper than the stack.
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const { node, parent } = at;
    const isElsewhere = node.host !== at.skew.host || node.host === '';
    const skew: Skew =
      parent !== undefined && isElsewhere ? { host: node.host, deltaNs: skewOf(node.span, parent.span) } : at.skew;
    if (skew.deltaNs !== 0n) {
      addWarning(
        node.span,
        `clock skew adjustment disabled; not applying calculated delta of ${goDuration(skew.deltaNs)}`,
      );
    }
    for (const child of node.children) open.push({ node: child, parent: node, skew });
    if (++done % nodesPerStep === 0) yield;
  }
}

interface Open {
  readonly node: Node;
  readonly parent: Node | undefined;
  readonly skew: Skew;
}

function rootsOf(trace: OtlpTrace): Node[] {
  const nodes = new Map<string, Node>();
  const hosts = new Map(trace.map((resourceSpans) => [resourceSpans, hostOf(resourceSpans)]));
  for (const { resourceSpans, span } of spansOf(trace)) {
    if (nodes.has(span.spanId)) addWarning(span, 'duplicate span IDs; skipping clock skew adjustment');
    else nodes.set(span.spanId, { span, host: hosts.get(resourceSpans) ?? '', children: [] });
  }
  const roots: Node[] = [];
  for (const node of nodes.values()) {
    const { parentSpanId } = node.span;
    const parent = nodes.get(parentSpanId);
    if (parent !== undefined) parent.children.push(node);
    else {
      if (parentSpanId !== '') {
        addWarning(node.span, `parent span ID=${parentSpanId} is not in the trace; skipping clock skew adjustment`);
      }
      roots.push(node);
    }
  }
  return roots;
}

function hostOf({ resource }: ResourceSpans): string {
  const attributes = resource?.attributes ?? [];
  const ip = attributeOf(attributes, 'host.ip');
  const first = ip?.case === 'arrayValue' ? ip.value.values[0] : ip;
  return textOf(attributeOf(attributes, 'host.id') ?? first ?? attributeOf(attributes, 'host.name'));
}

const textOf = (value: AnyValue | undefined): string => (value?.case === 'stringValue' ? value.value : '');

/** How much later the child's clock would have to be for the child to lie within its parent. */
function skewOf(child: Span, parent: Span): bigint {
  const [childStart, childEnd] = timesOf(child);
  const [parentStart, parentEnd] = timesOf(parent);
  const spare = parentEnd - parentStart - (childEnd - childStart);
  if (spare < 0n) return childStart < parentStart ? parentStart - childStart : 0n;
  if (childStart >= parentStart && childEnd <= parentEnd) return 0n;
  // As if the way there took as long as the way back.
  return parentStart + spare / 2n - childStart;
}

const timesOf = (span: Span): [bigint, bigint] => [bigOf(span.startTimeUnixNano), bigOf(span.endTimeUnixNano)];
