// QuickJS runs a script: objects, closures, arrays, strings, regular expressions, JSON, Map, generators, exceptions.
#include "corpus.h"
#include "quickjs.h"

static const char script[] =
    "let seed = 7; const random = n => (seed = Math.imul(seed, 1103515245) + 12345 >>> 0, (seed >>> 8) % n);\n"
    "class Account { constructor(id) { this.id = id; this.log = []; } get balance() { return this.log.reduce((a, b) => a + b, 0); }\n"
    "  move(x) { if (this.balance + x < 0) throw new RangeError('overdrawn ' + this.id); this.log.push(x); } }\n"
    "function* windows(list, n) { for (let i = 0; i + n <= list.length; i++) yield list.slice(i, i + n); }\n"
    "function work(rounds) {\n"
    "  const out = [];\n"
    "  for (let r = 0; r < rounds; r++) {\n"
    "    const accounts = Array.from({ length: 12 }, (_, i) => new Account(i)), errors = new Map();\n"
    "    for (let i = 0; i < 120; i++) { const a = accounts[random(12)];\n"
    "      try { a.move(random(200) - 80); } catch (e) { errors.set(a.id, (errors.get(a.id) || 0) + 1); } }\n"
    "    const text = accounts.map(a => `${a.id}:${a.balance.toFixed(2)}`).join(';');\n"
    "    const parsed = [...text.matchAll(/(\\d+):(\\d+)\\.(\\d\\d)/g)].map(m => ({ id: +m[1], whole: parseInt(m[2]) }));\n"
    "    const copy = JSON.parse(JSON.stringify({ parsed, errors: [...errors] }));\n"
    "    let best = 0; for (const w of windows(copy.parsed, 3)) best = Math.max(best, w[0].whole + w[1].whole + w[2].whole);\n"
    "    copy.parsed.sort((a, b) => b.whole - a.whole || a.id - b.id);\n"
    "    out.push([best, copy.parsed[0].id, copy.errors.length, Math.sqrt(best).toFixed(4), text.replace(/[0-9]+/g, x => x.length).length]);\n"
    "  }\n"
    "  return out.map(String).join('\\n');\n"
    "}\n";

PROGRAM run(i32 rounds) {
    JSRuntime *runtime = JS_NewRuntime();
    JS_SetMaxStackSize(runtime, 0);
    JSContext *context = JS_NewContext(runtime);
    JSValue done = JS_Eval(context, script, sizeof script - 1, "script.js", JS_EVAL_TYPE_GLOBAL);
    if (JS_IsException(done)) return -1;
    JSValue global = JS_GetGlobalObject(context), work = JS_GetPropertyStr(context, global, "work"), argument = JS_NewInt32(context, rounds);
    JSValue result = JS_Call(context, work, JS_UNDEFINED, 1, &argument);
    if (JS_IsException(result)) return -2;
    const char *text = JS_ToCString(context, result);
    u32 sum = mix_bytes(0, text, strlen(text));
    JS_FreeCString(context, text);
    JS_FreeValue(context, result), JS_FreeValue(context, work), JS_FreeValue(context, global);
    JS_FreeContext(context);
    JS_FreeRuntime(runtime);
    return sum;
}
