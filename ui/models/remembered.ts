/** What is made of plain data, made once while that stays the same. */

/** `make`, which gives the same answer for the same object as the last time. It must be pure. */
export function remembered<A extends object, R>(make: (from: A) => R): (from: A) => R {
  let last: { readonly from: A; readonly made: R } | undefined;
  return (from) => {
    if (last?.from !== from) last = { from, made: make(from) };
    return last.made;
  };
}
