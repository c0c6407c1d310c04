/**
 * Prints OTLP metrics in JSON: a shop's requests of the hour before a time, in which the reviews failed for a while, of ten minutes before
 * that hour, and of what has passed since. The time, in UTC, is the argument, e.g. 2026-11-21T14:00; the last whole hour unless given.
 */
const stepS = 15;
const nowS = Math.floor(Date.now() / 1000 / stepS) * stepS;
/** The end of that hour; what happened is counted from there. */
const endS = process.argv[2] === undefined ? Math.floor(nowS / 3600) * 3600 : Date.parse(`${process.argv[2]}Z`) / 1000;

/** Requests a second, `minute` minutes before the end. */
const rates = {
  'productpage 200': (minute) => 42 + 16 * Math.sin(minute / 9),
  'productpage 503': () => 0.2,
  'reviews 200': (minute) => (minute > 14 && minute < 26 ? 4 : 26 + 8 * Math.sin(minute / 9)),
  'reviews 503': (minute) => (minute > 14 && minute < 26 ? 24 : 0.1),
};

const dataPoints = Object.entries(rates).flatMap(([name, rate]) => {
  const [destination, code] = name.split(' ');
  let count = 0;
  return Array.from({ length: Math.floor((nowS - endS + 4200) / stepS) }, (_, i) => {
    const timeS = endS - 4200 + (i + 1) * stepS;
    count += rate((endS - timeS) / 60) * stepS;
    return {
      timeUnixNano: `${timeS}000000000`,
      asDouble: Math.round(count),
      attributes: [
        { key: 'destination', value: { stringValue: destination } },
        { key: 'code', value: { stringValue: code } },
      ],
    };
  });
});
const metric = { name: 'shop.requests', sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints } };
const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
process.stdout.write(JSON.stringify({ resourceMetrics: [{ resource, scopeMetrics: [{ metrics: [metric] }] }] }));
