/** What the writer and the reader of `spans.details` agree on. The numbers are in what is stored: none is ever changed. */
export const detailsVersion = 1;

export const valueTypes = {
  nothing: 0,
  text: 1,
  true: 2,
  false: 3,
  integer: 4,
  longInteger: 5,
  double: 6,
  bytes: 7,
  list: 8,
  map: 9,
} as const;
