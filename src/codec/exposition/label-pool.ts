/** One object for a label that many series of a target have: pages of 50,000 series have a few hundred different labels besides those that are unique. */
import type { Label } from '../../model/sample.ts';

export interface LabelPool {
  /** The label of this name and value. */
  labelOf(name: string, value: string): Label;
}

const pooledNames = 256;
/** A name with more values than this, such as a pod's, is no name whose labels are shared. */
const pooledValues = 512;

/** Makes the pool of one target; what it holds is bounded. */
export function createLabelPool(): LabelPool {
  const names = new Map<string, Map<string, Label>>();
  return {
    labelOf(name, value) {
      let values = names.get(name);
      if (values === undefined) {
        if (names.size >= pooledNames) names.clear();
        values = new Map();
        names.set(name, values);
      }
      const known = values.get(value);
      if (known !== undefined) return known;
      const label: Label = [name, value];
      if (values.size < pooledValues) values.set(value, label);
      return label;
    },
  };
}
