// The command that does the same as the last action, for programs and a shell: each can be pasted and run as it is.

import { byId, element } from "/dev/element.js"
import { facts } from "/dev/server.js"

// requestOf is the request of an action, as JSON: what is published stays as it was written.
export function requestOf({ to, data, text, channel, group }) {
  const fields = [["to", to], ["text", text], ["channel", channel], ["group", group]]
    .filter(([, value]) => value !== undefined).map(([name, value]) => `"${name}":${JSON.stringify(value)}`)
  if (data !== undefined) fields.push(`"data":${data}`)
  return "{" + fields.join(",") + "}"
}

const shell = text => "'" + text.replaceAll("'", "'\\''") + "'"

// single is a text without control characters in single quotes, as PHP, JavaScript and Python have them.
const single = text => "'" + text.replaceAll("\\", "\\\\").replaceAll("'", "\\'") + "'"

// double is a text in double quotes, as Go has them, which takes no byte order mark as it is.
const double = text => JSON.stringify(text).replaceAll("\ufeff", "\\ufeff")
const raw = text => /[`\ufeff]/.test(text) ? double(text) : "`" + text + "`"

const address = action => facts.api + "/v1/" + action.command

const languages = {
  lineman(action) {
    const { command, to, data, text } = action
    if (command !== "pub") return "# lineman push publishes, and does nothing else: see the others"
    if (!facts.push) return "# there is no port for lines: set text.listen"
    const kind = to === "*" ? "all" : { "u:": "uid", "g:": "group" }[to.slice(0, 2)] ?? "channel"
    const name = kind === "all" ? [] : [kind === "channel" ? to : to.slice(2)]
    const flags = text === undefined ? "" : " --text"
    if (text === "-") { // which would read the input
      return `echo - | ${facts.push}${flags} ${[kind, ...name.map(shell), "-"].join(" ")}`
    }
    const words = [...name, text ?? data]
    const isFlag = words.some(word => word.startsWith("-"))
    return facts.push + flags + (isFlag ? " -- " : " ") + [kind, ...words.map(shell)].join(" ")
  },

  curl: action => `curl -sS -H 'Content-Type: application/json' \\
${facts.key ? '  -H "Authorization: Bearer $LINEMAN_KEY" \\\n' : ""}  -d ${shell(requestOf(action))} \\
  ${address(action)}`,

  PHP: action => `<?php
$request = ${single(requestOf(action))};
echo file_get_contents('${address(action)}', false, stream_context_create(['http' => [
    'method' => 'POST',
    'header' => ['Content-Type: application/json'${
  facts.key ? ", 'Authorization: Bearer ' . getenv('LINEMAN_KEY')" : ""}],
    'content' => $request,
    'timeout' => 3,
    'ignore_errors' => true, // an error has a text, too
]]));`,

  Node: action => `fetch('${address(action)}', {
  method: 'POST',
  headers: {
    'Content-Type': 'application/json',${
  facts.key ? "\n    Authorization: 'Bearer ' + process.env.LINEMAN_KEY," : ""}
  },
  body: ${single(requestOf(action))},
}).then(answer => answer.text()).then(console.log)`,

  Python: action => `import ${facts.key ? "os, " : ""}urllib.request

request = urllib.request.Request(
    "${address(action)}",
    data=${single(requestOf(action))}.encode(),
    headers={"Content-Type": "application/json"${
  facts.key ? ', "Authorization": "Bearer " + os.environ["LINEMAN_KEY"]' : ""}},
)
print(urllib.request.urlopen(request, timeout=3).read().decode())`,

  Go: action => `package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	body := strings.NewReader(${raw(requestOf(action))})
	request, err := http.NewRequest("POST", "${address(action)}", body)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")${
  facts.key ? '\n\trequest.Header.Set("Authorization", "Bearer "+os.Getenv("LINEMAN_KEY"))' : ""}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	io.Copy(os.Stdout, answer.Body)
}`,
}

const names = Object.keys(languages)
let shown = names[0]

// select shows the command of a language.
function select(name) {
  shown = name
  for (const tab of byId("tabs").children) {
    const isShown = tab.dataset.of === name
    tab.setAttribute("aria-selected", isShown)
    tab.tabIndex = isShown ? 0 : -1
    const code = byId("code-" + tab.dataset.of)
    code.classList.toggle("shown", isShown)
    code.tabIndex = isShown ? 0 : -1
  }
}

function move(event) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
  if (!by) return
  const at = (names.indexOf(shown) + by + names.length) % names.length
  select(names[at])
  byId("tabs").children[at].focus()
}

let copied // the timer that has the button say again what it is for

async function copy() {
  const code = byId("code-" + shown)
  try {
    await navigator.clipboard.writeText(code.textContent)
    byId("copy").textContent = "Copied"
    clearTimeout(copied)
    copied = setTimeout(() => { byId("copy").textContent = "Copy" }, 2000)
  } catch { // the browser does not let the page: the person can
    getSelection().selectAllChildren(code)
  }
}

export function build() {
  for (const name of names) {
    byId("tabs").append(element("button", {
      type: "button", role: "tab", id: "tab-" + name, "data-of": name, "aria-controls": "code-" + name,
      onclick: () => select(name), onkeydown: move,
    }, name))
    byId("codes").append(element("pre", { id: "code-" + name, role: "tabpanel", "aria-labelledby": "tab-" + name }))
  }
  byId("copy").onclick = copy
  select(shown)
}

// act shows the commands for an action.
export function act(action) {
  for (const [name, code] of Object.entries(languages)) {
    const text = name === "lineman" || facts.api ? code(action) : "The HTTP API is off: set api.listen."
    byId("code-" + name).textContent = text
  }
}
