/** The nearest right word to a wrong one. */

/** How many letters must be added, removed, changed or swapped with a neighbour to turn one word into the other. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

const maxWordLength = 100;

/** The candidate that was probably meant, or undefined when none is near: `nearest('intervall', ['interval', 'url'])`. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > maxWordLength) return undefined;
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_.]/g, '');
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const limit = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3));
    if (Math.abs(plain(word).length - plain(candidate).length) > limit) continue;
    const distance = editDistance(plain(word), plain(candidate));
    if (distance <= limit && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  // The beginning of a key is near to it as well, however much is missing.
  if (best === undefined && word.length >= 4) {
    for (const candidate of candidates) if (plain(candidate).startsWith(plain(word))) return candidate;
  }
  return best;
}

/** `; did you mean "interval"?`'s inside, or '' when nothing is near. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const near = nearest(word, candidates);
  return near === undefined ? '' : `did you mean "${near}"?`;
}
