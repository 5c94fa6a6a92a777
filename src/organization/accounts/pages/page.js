"use strict";
const at = (id) => document.getElementById(id);
const act = location.pathname.split("/").pop();
const token = new URLSearchParams(location.hash.slice(1)).get("token");
// The secret must not stay in the history of the browser.
history.replaceState(null, "", location.pathname);

const acts = {
  "verify-email": {
    title: "Confirm your e-mail address",
    password: "Your password, if you just registered",
    document: "mutation($input: VerifyEmailInput!) { done: verifyEmail(input: $input) { userErrors { message } } }",
    input: (typed) => ({ token, password: typed.password || null }),
    done: "Your address is confirmed. You can sign in now.",
  },
  "reset-password": {
    title: "Choose a new password",
    password: "New password, 12 characters or more",
    document: "mutation($input: ResetPasswordInput!) { done: resetPassword(input: $input) { userErrors { message } } }",
    input: (typed) => ({ token, newPassword: typed.password }),
    done: "Your password is changed. You can sign in now.",
  },
  "accept-invitation": {
    title: "Accept the invitation",
    name: true,
    password: "Your password; choose one if you have no account yet",
    document: "mutation($input: AcceptInvitationInput!) { done: acceptInvitation(input: $input) { userErrors { message } } }",
    input: (typed) => ({ token, name: typed.name || null, password: typed.password || null }),
    done: "You are in. You can sign in now.",
  },
};

async function send(what) {
  const typed = { name: at("name").value.trim(), password: at("password").value };
  const body = JSON.stringify({ query: what.document, variables: { input: what.input(typed) } });
  const answer = await fetch("/graphql", { method: "POST", headers: { "content-type": "application/json" }, body });
  const { data, errors } = await answer.json();
  const problem = errors?.[0] ?? data.done.userErrors[0];
  if (problem) throw new Error(problem.message);
}

const what = acts[act];
at("title").textContent = what.title;
document.title = what.title;
if (!token) {
  at("says").textContent = "This link is not whole. Open it from the mail once more.";
} else {
  at("form").hidden = false;
  at("name-row").hidden = !what.name;
  at("password-row").hidden = !what.password;
  at("password-label").textContent = what.password;
  at("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    at("go").disabled = true;
    try {
      await send(what);
      at("says").textContent = what.done;
      at("form").hidden = true;
    } catch (problem) {
      at("says").textContent = problem.message;
    }
    at("go").disabled = false;
  });
}
