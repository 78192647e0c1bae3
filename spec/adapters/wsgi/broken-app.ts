/** A module that cannot be loaded. */
throw new RangeError('no database')
export default function never(): void {}
