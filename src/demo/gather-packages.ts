import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A package as a record: what its package.json says, and its README. */
export interface PackageRecord {
  id: string;
  name: string;
  version: string;
  description: string | null;
  license: string | null;
  author: string | null;
  homepage: string | null;
  keywords: string[];
  dependencies: number;
  readme: string | null;
}

const MAX_README = 50_000;

/** Reads the packages of a node_modules folder, one after the other, in the order of their names. */
export async function* gatherPackages(folder: string): AsyncGenerator<PackageRecord> {
  for (const path of await packageFolders(folder)) {
    const manifest = await readManifest(join(folder, path));
    if (manifest) yield toRecord(manifest, await readReadme(join(folder, path)));
  }
}

async function packageFolders(folder: string): Promise<string[]> {
  const names = await foldersIn(folder);
  const scoped = names.filter((name) => name.startsWith('@'));
  const inScopes = await Promise.all(scoped.map(async (scope) => (await foldersIn(join(folder, scope))).map((name) => `${scope}/${name}`)));
  return [...names.filter((name) => !name.startsWith('@') && !name.startsWith('.')), ...inScopes.flat()].sort();
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

type Manifest = Record<string, unknown> & { name: string; version: string };

async function readManifest(folder: string): Promise<Manifest | undefined> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Partial<Manifest>;
    return typeof manifest.name === 'string' && typeof manifest.version === 'string' ? (manifest as Manifest) : undefined;
  } catch {
    return undefined;
  }
}

async function readReadme(folder: string): Promise<string | null> {
  const entries = await readdir(folder, { withFileTypes: true });
  const file = entries.find((entry) => entry.isFile() && /^readme(?:\.md|\.markdown|\.txt)?$/i.test(entry.name));
  return file ? (await readFile(join(folder, file.name), 'utf8')).slice(0, MAX_README).toWellFormed().replaceAll('\0', '') : null;
}

/** Manifests are written by hand: every field may be of any type. */
function toRecord(manifest: Manifest, readme: string | null): PackageRecord {
  const { name, version, description, keywords, homepage, dependencies } = manifest;
  return {
    id: `${name}@${version}`,
    name,
    version,
    description: textOf(description),
    license: textOf(manifest.license) ?? textOf(manifest.license, 'type'),
    author: textOf(manifest.author) ?? textOf(manifest.author, 'name'),
    homepage: textOf(homepage),
    keywords: Array.isArray(keywords) ? keywords.filter((word) => typeof word === 'string') : [],
    dependencies: typeof dependencies === 'object' && dependencies !== null ? Object.keys(dependencies).length : 0,
    readme,
  };
}

function textOf(value: unknown, field?: string): string | null {
  const text = field !== undefined && typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : value;
  return typeof text === 'string' && text !== '' ? text : null;
}
