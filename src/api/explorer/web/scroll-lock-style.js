// Stands in for the library `react-style-singleton`, which GraphiQL's dialogs use to keep the page from scrolling.
//
// The library adds a <style> element, which the page's content security policy refuses. A constructed style sheet
// does the same within the policy.

import { useEffect } from 'react';

export function stylesheetSingleton() {
  let users = 0;
  let sheet;
  return {
    add(css) {
      users += 1;
      if (users > 1) return;
      sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    },
    remove() {
      users -= 1;
      if (users > 0) return;
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter(other => other !== sheet);
    },
  };
}

export function styleHookSingleton() {
  const shared = stylesheetSingleton();
  return (css, dynamic) => {
    useEffect(() => {
      shared.add(css);
      return () => shared.remove();
    }, [css && dynamic]);
  };
}

export function styleSingleton() {
  const useStyle = styleHookSingleton();
  return ({ styles, dynamic }) => {
    useStyle(styles, dynamic);
    return null;
  };
}
