// Makes a failing document smaller as long as it fails in the same way.

import { Kind, parse, print, visit } from 'graphql';
import { deviations } from './compare.mjs';

const REMOVABLE = new Set([
  Kind.FIELD, Kind.INLINE_FRAGMENT, Kind.FRAGMENT_SPREAD, Kind.FRAGMENT_DEFINITION, Kind.ARGUMENT, Kind.DIRECTIVE,
  Kind.OBJECT_FIELD, Kind.VARIABLE_DEFINITION, Kind.OPERATION_DEFINITION,
]);
const MOST_TRIES = 400;

/** A smaller request that fails in the same way, and how it does. */
export async function shrunk(request, found) {
  const wanted = kindOf(found);
  let best = { request, found };
  let tries = 0;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (let at = 0; tries < MOST_TRIES; tries++) {
      const candidate = smaller(best.request, at);
      if (!candidate) break;
      const result = await deviations(candidate).catch(() => ({ found: [] }));
      if (kindOf(result.found) !== wanted) {
        at += 1;
        continue;
      }
      best = { request: candidate, found: result.found };
      isSmaller = true;
    }
  }
  return best;
}

/** The way of failing, without the names and values of one document. */
export function kindOf(found) {
  const general = (text) => text.replace(/"[^"]*"|\$?\w*\d\w*|\[.*/g, '…').replace(/ at .*/, '');
  const said = ({ errors }) => general(errors?.[0]?.message ?? '');
  return found.map(({ way, sentence, ours, theirs }) => {
    const isOfStages = /^(unreadable|invalid|uncoercible|executed|unknown|stopped)/.test(sentence);
    const reason = isOfStages ? ` (${said(ours)} / ${general(String(Array.isArray(theirs) ? theirs[0] : ''))})` : '';
    return `${way}: ${general(sentence)}${reason}`;
  }).join(' | ');
}

/** The request without its part number `at`; nothing when it has no so many. */
function smaller({ template, variables, operationName }, at) {
  const names = Object.keys(variables);
  if (at < names.length) {
    const { [names[at]]: _, ...rest } = variables;
    return { template, variables: rest, operationName };
  }
  at -= names.length;
  if (!isReadable(template)) return undefined;
  const document = parse(template);
  let seen = 0;
  const removed = visit(document, { enter: (node) => (REMOVABLE.has(node.kind) && seen++ === at ? null : undefined) });
  if (seen > at) return { template: tidy(print(removed)), variables, operationName };
  const unwrapped = visit(document, {
    SelectionSet(node) {
      const selections = node.selections.flatMap((selection) => {
        const inner = selection.kind === Kind.INLINE_FRAGMENT ? selection
          : selection.kind === Kind.FRAGMENT_SPREAD && document.definitions.find(({ name }) => name?.value === selection.name.value);
        return inner && seen++ === at && inner.selectionSet ? inner.selectionSet.selections : [selection];
      });
      return { ...node, selections };
    },
  });
  return seen > at ? { template: tidy(print(unwrapped)), variables, operationName } : undefined;
}

/** Without what nothing refers to any more. */
function tidy(text) {
  if (!isReadable(text)) return text;
  const document = parse(text);
  const used = new Set();
  visit(document, {
    FragmentSpread: ({ name }) => void used.add(name.value),
    VariableDefinition: () => false,
    Variable: ({ name }) => void used.add(`$${name.value}`),
  });
  const tidied = print(visit(document, {
    FragmentDefinition: ({ name }) => (used.has(name.value) ? undefined : null),
    VariableDefinition: ({ variable }) => (used.has(`$${variable.name.value}`) ? undefined : null),
  }));
  return tidied === text ? text : tidy(tidied);
}

function isReadable(text) {
  try {
    return Boolean(parse(text));
  } catch {
    return false;
  }
}
