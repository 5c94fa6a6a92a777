// Fills in docs/examples/lead-form.html as a person does: in Chromium where there is one, else its script alone in Node with
// as much of a page as it touches.
//
//   node lead-form.mjs <the page> [<where to put screenshots>]
//
// It serves the page, says at which origins in one line of JSON, is told in one line where the form posts to, and says in
// another what became of each try.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import vm from "node:vm";
import WebSocket from "ws";

const [file, screenshots] = process.argv.slice(2);
let html = readFileSync(file, "utf8");
const PLACEHOLDER = "https://crm.example/capture/KEY";
if (!html.includes(PLACEHOLDER)) throw new Error("the page says no more where to put the key");

const ADA = { name: "Ada Lovelace", email: "ada@example.com", message: "Call me" };
const TRIES = {
  person: { at: "allowed", fields: ADA },
  // The browser lets it pass, and the server does not.
  address: { at: "allowed", fields: { ...ADA, email: "ada@localhost" } },
  program: { at: "allowed", fields: { ...ADA, email: "bot@example.com", website: "https://spam.example" } },
  foreign: { at: "foreign", fields: { ...ADA, email: "foreign@example.com" } },
};

// What is shown once the answer is there.
const SHOWN = `(() => {
  const form = document.getElementById("lead-form");
  const said = form.querySelector('[role="status"]').textContent;
  const thanks = !document.getElementById("thanks").hidden;
  return (thanks || said) && { thanks, said, focus: document.activeElement?.name || document.activeElement?.id || null };
})()`;

const serve = () =>
  new Promise((resolve) => {
    const server = createServer((request, response) => {
      const isPage = request.url.startsWith("/form");
      response.writeHead(200, { "content-type": "text/html" });
      response.end(isPage ? html : "<!doctype html><title>Thanks</title><h1>Thanks</h1>");
    });
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
const servers = { allowed: await serve(), foreign: await serve() };
const origin = (name) => `http://127.0.0.1:${servers[name].address().port}`;
console.log(JSON.stringify({ allowed: origin("allowed"), foreign: origin("foreign") }));

const lines = createInterface({ input: process.stdin });
const { value: action } = await lines[Symbol.asyncIterator]().next();
html = html.replace(PLACEHOLDER, action);

const chromium = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
);
const outcome = chromium ? await inChromium(chromium) : await inNode();
console.log(JSON.stringify({ by: chromium ? "chromium" : "node", ...outcome }));
for (const server of Object.values(servers)) server.close();
lines.close();
process.exit(0);

async function inChromium(program) {
  const profile = mkdtempSync(path.join(tmpdir(), "lead-form-"));
  const browser = spawn(program, [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank",
  ]);
  let tools;
  try {
    const address = await new Promise((resolve, reject) => {
      let text = "";
      browser.on("exit", () => reject(new Error(`the browser ended: ${text}`)));
      browser.stderr.on("data", (chunk) => {
        text += chunk;
        const found = /listening on (ws:\S+)/.exec(text);
        if (found) resolve(found[1]);
      });
    });
    tools = await connect(address);
    const outcome = {};
    for (const [name, { at, fields }] of Object.entries(TRIES)) {
      outcome[name] = await tools.page(`${origin(at)}/form?try=${name}`, async (page) => {
        await page.fill(fields);
        await page.run("document.querySelector('button').click()");
        const shown = await page.until(SHOWN);
        await page.screenshot(name);
        return shown;
      });
    }
    // Without scripts the browser posts the form by itself, and goes on to the page of thanks.
    outcome.plain = await tools.page(`${origin("allowed")}/form?try=plain`, async (page) => {
      await page.fill({ ...ADA, email: "plain@example.com" });
      await page.run("HTMLFormElement.prototype.submit.call(document.getElementById('lead-form'))");
      return page.until("location.pathname === '/thanks' && { at: location.pathname }");
    });
    return outcome;
  } finally {
    browser.removeAllListeners("exit");
    const ended = new Promise((resolve) => (browser.exitCode === null ? browser.on("exit", resolve) : resolve()));
    tools?.close();
    const killed = setTimeout(() => browser.kill("SIGKILL"), tools ? 2000 : 0);
    await ended;
    clearTimeout(killed);
    // What it began may still be writing; the folder is of the system's for what passes.
    try {
      rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    } catch {}
  }
}

// Speaks the DevTools protocol.
async function connect(address) {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  const waiting = new Map();
  let last = 0;
  socket.on("message", (text) => {
    const { id, result, error } = JSON.parse(text);
    const [resolve, reject] = waiting.get(id) ?? [];
    waiting.delete(id);
    if (error) reject?.(new Error(JSON.stringify(error)));
    else resolve?.(result);
  });
  const send = (method, params = {}, sessionId) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, [resolve, reject]);
      socket.send(JSON.stringify({ id: last, method, params, sessionId }));
    });
  const page = async (url, act) => {
    const { targetId } = await send("Target.createTarget", { url });
    const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
    const run = async (expression) => {
      const { result, exceptionDetails } = await send("Runtime.evaluate", { expression, returnByValue: true }, sessionId);
      if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
      return result.value;
    };
    const until = async (expression) => {
      for (let tries = 0; tries < 400; tries++) {
        // Between two pages there is none to ask.
        const found = await run(expression).catch(() => undefined);
        if (found) return found;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      throw new Error(`it never came: ${expression} at ${await run("document.body.innerText")}`);
    };
    const fill = async (fields) => {
      await until("document.readyState === 'complete' && !!document.getElementById('lead-form')");
      await run(`(${fillIn})(document.getElementById("lead-form"), ${JSON.stringify(fields)})`);
    };
    const screenshot = async (name) => {
      if (!screenshots) return;
      const { data } = await send("Page.captureScreenshot", {}, sessionId);
      writeFileSync(path.join(screenshots, `${name}.png`), Buffer.from(data, "base64"));
    };
    const outcome = await act({ run, until, fill, screenshot });
    await send("Target.closeTarget", { targetId });
    return outcome;
  };
  const close = () => send("Browser.close").catch(() => {});
  return { page, close };
}

function fillIn(form, fields) {
  for (const [name, value] of Object.entries(fields)) form.elements[name].value = value;
  form.elements.agree.checked = true;
}

async function inNode() {
  const script = /<script>([\s\S]*)<\/script>/.exec(html)[1];
  const names = [...html.matchAll(/<(?:input|textarea)[^>]*name="(\w+)"/g)].map((found) => found[1]);
  const outcome = {};
  for (const [name, { at, fields }] of Object.entries(TRIES)) {
    let focus = null;
    let submit;
    const element = (own) => ({ hidden: false, textContent: "", value: "", focus: () => (focus = own), name: own });
    const elements = Object.fromEntries(names.map((own) => [own, element(own)]));
    const [status, button, thanks] = [element("status"), element("button"), element("thanks")];
    thanks.hidden = true;
    const form = {
      action, elements, hidden: false,
      querySelector: (selector) => (selector === "button" ? button : status),
      addEventListener: (_, listener) => (submit = listener),
    };
    fillIn(form, fields);
    elements.agree.value = "yes";
    const page = {
      document: { getElementById: (id) => (id === "thanks" ? thanks : form) },
      location: { href: `${origin(at)}/form?try=${name}` },
      // What a browser does of CORS: it asks first, and keeps what is not for the page.
      fetch: async (url, options) => {
        const asked = { "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
        const may = await fetch(url, { method: "OPTIONS", headers: { origin: origin(at), ...asked } });
        if (may.headers.get("access-control-allow-origin") !== origin(at)) throw new TypeError("Failed to fetch");
        const answer = await fetch(url, { ...options, headers: { ...options.headers, origin: origin(at) } });
        if (answer.headers.get("access-control-allow-origin") !== origin(at)) throw new TypeError("Failed to fetch");
        return answer;
      },
      FormData: function (of) {
        return Object.entries(of.elements).map(([own, { value }]) => [own, value]);
      },
      Object, JSON,
    };
    vm.runInNewContext(script, page);
    await submit({ preventDefault() {} });
    outcome[name] = { thanks: !thanks.hidden, said: status.textContent, focus };
  }
  const posted = new URLSearchParams({ ...ADA, email: "plain@example.com", agree: "yes" });
  const headers = { origin: origin("allowed"), accept: "text/html" };
  const plain = await fetch(action, { method: "POST", body: posted, headers, redirect: "follow" });
  outcome.plain = { at: new URL(plain.url).pathname };
  return outcome;
}
