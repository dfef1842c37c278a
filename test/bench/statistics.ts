/** What is made of the times of several runs. */

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('the median of nothing');
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[(sorted.length >> 1) - 1] as number) + upper) / 2;
}

/**
 * The median of the ratios round by round: what else the machine did in a round slowed down both of its runs, so that
 * this says more than the ratio of two medians.
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length) throw new RangeError('a ratio needs pairs');
  return median(ours.map((value, round) => value / (theirs[round] as number)));
}

/**
 * How cost grows with size: the exponent of the power law nearest to the points (least squares of the logarithms).
 * 1 is linear, 2 is quadratic.
 */
export function growth(points: readonly (readonly [size: number, cost: number])[]): number {
  const logs = points.map(([size, cost]) => [Math.log(size), Math.log(cost)] as const);
  const mean = (at: 0 | 1): number => logs.reduce((sum, point) => sum + point[at], 0) / logs.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const over = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  if (!(under > 0)) throw new RangeError('growth needs two sizes');
  return over / under;
}
