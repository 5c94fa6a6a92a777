// Writes down which libraries the bundle holds, in which version and under which licence, as their licences ask.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGE_OF = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/** The text of the notice for `inputs`, the files that went into the bundle, relative to `root`. */
export function notice(root, inputs) {
  const folders = new Set(inputs.map(input => PACKAGE_OF.exec(input)?.[0]).filter(Boolean));
  const packages = [...folders].map(folder => describe(join(root, folder)));
  packages.sort((a, b) => (a.title < b.title ? -1 : 1));

  const byText = new Map();
  for (const { title, text } of packages) {
    byText.set(text, [...(byText.get(text) ?? []), title]);
  }

  const main = packages.find(({ title }) => title.startsWith('graphiql '));
  const lines = [
    `The API explorer is ${main.title} (${main.licence}), built by ../web/build.sh.`,
    'Its script and style sheet contain the libraries below, minified; GraphiQL without its typefaces.',
    '',
    ...packages.map(({ title, licence }) => `  ${title}  ${licence}`),
    '',
  ];
  for (const [text, titles] of byText) {
    lines.push('', `-- ${titles.join(', ')}`, '', text);
  }
  return `${lines.join('\n')}\n`;
}

function describe(folder) {
  const { name, version, license, author, homepage } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).filter(entry => /^licen[cs]e(\.|$)/i.test(entry)).sort()[0];
  const by = typeof author === 'string' ? author : author?.name;
  const text = file
    ? readFileSync(join(folder, file), 'utf8').replace(/\r\n/g, '\n').trim()
    : `Licensed under ${license}${by ? ` by ${by}` : ''}${homepage ? `; see ${homepage}` : ''}. The package carries no licence file.`;
  return { title: `${name} ${version}`, licence: license, text };
}
