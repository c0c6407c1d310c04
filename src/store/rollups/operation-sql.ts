/** Spans by minute, service, name and kind, counted from the base table. */
import { bucketOf } from './histogram.ts';
import { inRange } from './minutes.ts';

/** Selects minute (seconds), service, operation, kind, requests, errors, buckets, counts of the spans in [from, to). */
export const operationSql = `
  SELECT minute, service, operation, kind, sum(n) AS requests, sum(failed) AS errors,
    groupArray(bucket) AS buckets, groupArray(n) AS counts
  FROM (
    SELECT toUnixTimestamp(toStartOfMinute(ts)) AS minute, local_service AS service, name AS operation, kind,
      ${bucketOf('duration_us')} AS bucket, count() AS n, countIf(status = 2) AS failed
    FROM spans WHERE ${inRange('toStartOfMinute(ts)')}
    GROUP BY minute, service, operation, kind, bucket
  )
  GROUP BY minute, service, operation, kind`;
