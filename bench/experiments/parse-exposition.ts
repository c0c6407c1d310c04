/**
 * What reading a scraped page costs: 50,000 series of 12 labels (16 MB), as text and as OpenMetrics. `npx tsx bench/experiments/parse-exposition.ts`
 * prints one JSON object a case, in ms of CPU: the first page, the same series with new values, and pages in which series come, go and move.
 */
import type { ExpositionFormat } from '../../src/codec/exposition/exposition.ts';
import { createExpositionParser } from '../../src/codec/exposition/parser.ts';
import { createChoices } from '../../test/contract/decoder-kit.ts';

const seriesCount = Number(process.argv[2] ?? 50_000);
const rounds = 15;

interface Shape {
  readonly format: ExpositionFormat;
  /** Writes the value of a counter as exporters do: whole numbers, or floats with all their digits. */
  readonly value: (i: number, round: number) => string;
  readonly hasTimestamps?: boolean;
  readonly exemplarEvery?: number;
  /** How many series of a page are new, with as many of the old gone. */
  readonly churn?: number;
  readonly isShuffled?: boolean;
}

function seriesText(i: number): string {
  return (
    `istio_requests_total{reporter="source",source_workload="w${i % 50}",source_namespace="default",` +
    `destination_service="s${i % 70}.default.svc.cluster.local",destination_version="v${i % 3}",request_protocol="http",` +
    `response_code="${200 + (i % 5)}",response_flags="-",connection_security_policy="mutual_tls",cluster="c1",node="n${i % 9}",pod="p-${i}"}`
  );
}

function pageOf(shape: Shape, round: number): Buffer {
  const random = createChoices(round + 1);
  const lines: string[] = [];
  const churn = shape.churn ?? 0;
  for (let i = 0; i < seriesCount; i++) {
    const number = i < churn ? seriesCount + round * churn + i : i;
    const time = shape.hasTimestamps
      ? shape.format === 'text'
        ? ` ${1_795_253_305_853 + round}`
        : ` ${1_795_253_305 + round}.853`
      : '';
    const exemplar =
      shape.exemplarEvery !== undefined && i % shape.exemplarEvery === 0
        ? ` # {trace_id="463ac35c9f6413ad48485a3953bb6124"} 0.5`
        : '';
    lines.push(`${seriesText(number)} ${shape.value(i, round)}${time}${exemplar}`);
  }
  if (shape.isShuffled)
    for (let i = lines.length - 1; i > 0; i--) {
      const j = random(i + 1);
      [lines[i], lines[j]] = [lines[j] ?? '', lines[i] ?? ''];
    }
  const family = shape.format === 'text' ? 'istio_requests_total' : 'istio_requests';
  lines.unshift(`# HELP ${family} Requests.`, `# TYPE ${family} counter`);
  if (shape.format === 'openmetrics') lines.push('# EOF');
  return Buffer.from(`${lines.join('\n')}\n`);
}

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const whole = (i: number, round: number) => String(i * 3 + round);
const float = (i: number, round: number) => String((i * 3 + round) / 7);
const cases: Readonly<Record<string, Shape>> = {
  'text, whole numbers': { format: 'text', value: whole },
  'text, floats of 17 digits': { format: 'text', value: float },
  'text, timestamps': { format: 'text', value: whole, hasTimestamps: true },
  'text, 100 series new and 100 gone': { format: 'text', value: whole, churn: 100 },
  'text, another order each time': { format: 'text', value: whole, isShuffled: true },
  'openmetrics, whole numbers': { format: 'openmetrics', value: whole },
  'openmetrics, timestamps, an exemplar in ten': {
    format: 'openmetrics',
    value: whole,
    hasTimestamps: true,
    exemplarEvery: 10,
  },
};

for (const [name, shape] of Object.entries(cases)) {
  let made = 0;
  const parser = createExpositionParser({ remember: () => ({ number: made++ }) });
  const pages = Array.from({ length: 3 }, (_, round) => pageOf(shape, round));
  const [first = Buffer.alloc(0)] = pages;
  const firstMs = cpuMs(() => parser.parse(first, shape.format));
  const times: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const page = Buffer.from(pages[round % pages.length] ?? first);
    let samples = 0;
    times.push(
      cpuMs(() => {
        samples = parser.parse(page, shape.format).length;
      }),
    );
    if (samples !== seriesCount) throw new Error(`${name}: ${samples} samples`);
  }
  times.sort((a, b) => a - b);
  console.log(
    JSON.stringify({
      case: name,
      pageMb: Number((first.length / 1e6).toFixed(1)),
      firstMs: Math.round(firstMs),
      medianMs: Number((times[rounds >> 1] ?? 0).toFixed(1)),
      bestMs: Number((times[0] ?? 0).toFixed(1)),
      made,
    }),
  );
}
