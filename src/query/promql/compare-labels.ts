/** The order of label sets. */
import { compareBytes, type Label } from '../../model/sample.ts';

/** Compares label sets as Prometheus sorts series: label by label, name before value. */
export function compareLabels(a: readonly Label[], b: readonly Label[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [nameA, valueA] = a[i] ?? ['', ''];
    const [nameB, valueB] = b[i] ?? ['', ''];
    const order = compareBytes(nameA, nameB) || compareBytes(valueA, valueB);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
