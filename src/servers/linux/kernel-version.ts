/** Compares names of kernels such as `6.1.0-40-amd64` number by number. */
export function compareKernels(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const [one, other] = [left[at] ?? '', right[at] ?? ''];
    if (one === other) continue;
    const isNumeric = /^\d+$/.test(one) && /^\d+$/.test(other);
    return isNumeric ? Number(one) - Number(other) : one < other ? -1 : 1;
  }
  return 0;
}

function partsOf(name: string): readonly string[] {
  return name.match(/\d+|[a-z]+/gi) ?? [];
}

/** What follows the numbers: `amd64`, `cloud-amd64`, `generic`. */
export function flavourOf(name: string): string {
  return /-([a-z][a-z0-9-]*)$/i.exec(name)?.[1] ?? '';
}

/** The newest of the running kernel's own flavour; `undefined` when the running one is not among the installed ones. */
export function newestKernel(running: string, installed: readonly string[]): string | undefined {
  if (!installed.includes(running)) return undefined;
  return installed
    .filter((name) => flavourOf(name) === flavourOf(running))
    .toSorted(compareKernels)
    .at(-1);
}

/** Name of the kernel that a package belongs to: of `linux-image-6.1.0-40-amd64` it is `6.1.0-40-amd64`. */
export function kernelOfPackage(name: string): string | undefined {
  return /^linux-(?:image|headers|modules|modules-extra|tools|buildinfo)(?:-unsigned)?-(\d\S*)$/.exec(
    name,
  )?.[1];
}
