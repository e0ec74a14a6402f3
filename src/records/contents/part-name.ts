/**
 * The name of a part of a workbook in the one form in which names are compared: without a slash at its front, in lower case (they are
 * the same in any case), with slashes where a program wrote backslashes, and with its percent signs undone.
 */
export function partName(name: string): string {
  const steps: string[] = [];
  for (const step of unescaped(name).replaceAll('\\', '/').split('/')) {
    if (step === '..') steps.pop();
    else if (step !== '' && step !== '.') steps.push(step);
  }
  return steps.join('/').toLowerCase();
}

/** The part that another one refers to by its place from there, or from the root when it begins with a slash. */
export function partFrom(base: string, target: string): string {
  const path = target.replaceAll('\\', '/').replace(/#.*$/s, '');
  return partName(path.startsWith('/') ? path : `${folderOf(base)}${path}`);
}

/** Where a part's references to others lie. */
export function relationsOf(part: string): string {
  const folder = folderOf(part);
  return `${folder}_rels/${part.slice(folder.length)}.rels`;
}

function folderOf(part: string): string {
  return part.slice(0, part.lastIndexOf('/') + 1);
}

function unescaped(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
