/** Spans made inside the engine: traces of eight, four services calling one another as under Istio, 14 tags of which three are unique a span. */

/** INSERT of `count` spans as segment `seg`, spread over `seconds` from `fromS` on. */
export const insertSpans = (o: { count: number; fromS: number; seconds: number; seg: number; withTags?: boolean }) => `
  INSERT INTO spans (trace_id, id, parent_id, ts, duration_us, kind, status, name, local_service, local_ipv4, seg${o.withTags ? ', tags, request_id' : ''})
  SELECT reinterpretAsFixedString(cityHash64(1, t)) || reinterpretAsFixedString(cityHash64(2, t)), cityHash64(t, n), if(n = 0, 0, cityHash64(t, n - 1)),
    toDateTime64(${o.fromS} + (number * ${o.seconds} / ${o.count}), 6, 'UTC'), toUInt64(exp2(8 + (rand() % 12000) / 1000)), if(n % 2 = 0, 2, 1), if(rand(2) % 50 = 0, 2, 0),
    'op' || toString((t * 8 + intDiv(n + 1, 2)) % 500), 'svc' || toString((t * 3 + intDiv(n, 2)) % 50), 1, ${o.seg}
    ${
      o.withTags
        ? `, map('http.method', 'GET', 'http.url', 'http://svc/' || toString(t % 500), 'http.status_code', '200', 'component', 'proxy', 'node_id', 'sidecar~' || toString(t % 50),
      'zone', 'a', 'upstream', 'outbound|9080', 'peer', toString(rand(3) % 200), 'user', toString(rand(4)), 'istio.mesh_id', 'm', 'istio.namespace', 'default', 'protocol', 'HTTP/1.1', 'flags', '-'), generateUUIDv4()`
        : ''
    }
  FROM (SELECT number, intDiv(number, 8) + ${o.seg} * 10000000 AS t, number % 8 AS n FROM numbers(${o.count}))
  SETTINGS insert_deduplication_token = 's${o.seg}', max_partitions_per_insert_block = 0, max_insert_block_size = 4000000, min_insert_block_size_rows = 4000000, max_block_size = 100000`;
