/** `GET /api/trawl/measurements`: metrics as DataKit groups them, by measurement and field. */
import type { Listed, StoredMeasurement } from '../../store/readers/series.ts';
import { answerFailure, textAnswer } from '../failure.ts';
import { type Chunk, writeText } from '../prometheus/chunk.ts';
import { answerOf, listChunks } from '../prometheus/format.ts';
import type { QueryResponse, QueryRoute } from '../query-route.ts';

/** What the API reads; `readMeasurements` of the store, bound to a client. */
export interface MeasurementSource {
  measurements(signal: AbortSignal): Promise<Listed<StoredMeasurement>>;
}

const measurementJson = ({ measurement, fields, tagKeys, series, lastSampleMs, lastDayMs }: StoredMeasurement) => ({
  measurement,
  fields,
  tagKeys,
  series,
  lastSample: lastSampleMs === undefined ? null : new Date(lastSampleMs).toISOString(),
  lastDay: new Date(lastDayMs).toISOString().slice(0, 10),
});

const writeMeasurement = (chunk: Chunk, item: StoredMeasurement): void =>
  writeText(chunk, JSON.stringify(measurementJson(item)));

/** The route of the measurements. */
export function createMeasurementRoute(source: MeasurementSource): QueryRoute {
  return {
    method: 'GET',
    path: '/api/trawl/measurements',
    async handle({ signal }): Promise<QueryResponse> {
      try {
        const { items, isTruncated } = await source.measurements(signal);
        const frame = { before: '{"measurements":', after: `,"truncated":${isTruncated}}` };
        const body = answerOf(listChunks(items, writeMeasurement, frame), signal);
        return { status: 200, contentType: 'application/json', body };
      } catch (error) {
        return answerFailure(error, (failure) => textAnswer(failure.status, failure.message));
      }
    },
  };
}
