// A small Lisp: reads a program from standard input, evaluates each form and prints its value.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct value value;
typedef value *(*native)(value *args);
struct value {
    enum { NUMBER, SYMBOL, PAIR, NATIVE, LAMBDA } kind;
    union {
        long long number;
        const char *name;
        native call;
        struct { value *head, *tail; };
        struct { value *parameters, *body, *scope; };
    };
};

static value *make(value v) {
    value *at = malloc(sizeof v);
    if (!at) abort();
    *at = v;
    return at;
}

static value *cons(value *head, value *tail) { return make((value){ PAIR, .head = head, .tail = tail }); }
static value *number(long long n) { return make((value){ NUMBER, .number = n }); }

static void fail(const char *what, const char *name) {
    printf("error: %s %s\n", what, name);
    exit(2);
}

// Symbols are unique, so that they compare by address.
static value *symbol(const char *name) {
    static value *all;
    for (value *v = all; v; v = v->tail) if (strcmp(v->head->name, name) == 0) return v->head;
    all = cons(make((value){ SYMBOL, .name = strdup(name) }), all);
    return all->head;
}

static value *truth(int yes) { return yes ? symbol("t") : NULL; }

// Reading

static int next(void) {
    int c = getchar();
    while (isspace(c)) c = getchar();
    return c;
}

static value *read_form(int c) {
    if (c == '(') {
        value *list = NULL, **end = &list;
        while ((c = next()) != ')') {
            if (c == EOF) fail("unexpected", "end of input");
            *end = cons(read_form(c), NULL), end = &(*end)->tail;
        }
        return list;
    }
    if (c == '\'') return cons(symbol("quote"), cons(read_form(next()), NULL));
    char word[64];
    int n = 0;
    for (; c != EOF && !isspace(c) && c != '(' && c != ')'; c = getchar()) if (n < 63) word[n++] = c;
    ungetc(c, stdin);
    word[n] = 0;
    char *end;
    long long value = strtoll(word, &end, 10);
    return *end ? symbol(word) : number(value);
}

static void print(value *v) {
    if (!v) printf("()");
    else if (v->kind == NUMBER) printf("%lld", v->number);
    else if (v->kind == SYMBOL) printf("%s", v->name);
    else if (v->kind != PAIR) printf("<function>");
    else {
        for (char mark = '('; v && v->kind == PAIR; v = v->tail, mark = ' ') putchar(mark), print(v->head);
        putchar(')');
    }
}

// Evaluating

static value *globals;

static value *find(value *name, value *scope) {
    for (; scope; scope = scope->tail) if (scope->head->head == name) return scope->head;
    for (scope = globals; scope; scope = scope->tail) if (scope->head->head == name) return scope->head;
    fail("unbound", name->name);
    return NULL;
}

static value *eval(value *form, value *scope) {
    for (;;) {
        if (!form || form->kind == NUMBER) return form;
        if (form->kind == SYMBOL) return find(form, scope)->tail;
        value *head = form->head, *rest = form->tail;
        if (head == symbol("quote")) return rest->head;
        if (head == symbol("if")) {
            form = eval(rest->head, scope) ? rest->tail->head : rest->tail->tail ? rest->tail->tail->head : NULL;
            continue;
        }
        if (head == symbol("lambda")) return make((value){ LAMBDA, .parameters = rest->head, .body = rest->tail->head, .scope = scope });
        if (head == symbol("define")) {
            globals = cons(cons(rest->head, NULL), globals);
            value *slot = globals->head;
            slot->tail = eval(rest->tail->head, scope);
            return rest->head;
        }
        value *function = eval(head, scope), *args = NULL, **end = &args;
        for (; rest; rest = rest->tail) *end = cons(eval(rest->head, scope), NULL), end = &(*end)->tail;
        if (function && function->kind == NATIVE) return function->call(args);
        if (!function || function->kind != LAMBDA) fail("not a function:", head && head->kind == SYMBOL ? head->name : "a value");
        scope = function->scope;
        for (value *p = function->parameters; p; p = p->tail, args = args->tail) {
            if (!args) fail("too few arguments for", p->head->name);
            scope = cons(cons(p->head, args->head), scope);
        }
        form = function->body;
    }
}

static value *add(value *a) { long long n = 0; for (; a; a = a->tail) n += a->head->number; return number(n); }
static value *multiply(value *a) { long long n = 1; for (; a; a = a->tail) n *= a->head->number; return number(n); }
static value *subtract(value *a) { return number(a->head->number - a->tail->head->number); }
static value *divide(value *a) { return number(a->head->number / a->tail->head->number); }
static value *less(value *a) { return truth(a->head->number < a->tail->head->number); }
static value *equal(value *a) { return truth(a->head == a->tail->head || (a->head && a->tail->head && a->head->kind == NUMBER && a->head->number == a->tail->head->number)); }
static value *car(value *a) { return a->head->head; }
static value *cdr(value *a) { return a->head->tail; }
static value *pair(value *a) { return cons(a->head, a->tail->head); }

int main(void) {
    static const struct { const char *name; native call; } natives[] = { { "+", add }, { "*", multiply }, { "-", subtract }, { "/", divide },
        { "<", less }, { "=", equal }, { "car", car }, { "cdr", cdr }, { "cons", pair } };
    for (size_t i = 0; i < sizeof natives / sizeof *natives; i++)
        globals = cons(cons(symbol(natives[i].name), make((value){ NATIVE, .call = natives[i].call })), globals);
    globals = cons(cons(symbol("t"), symbol("t")), globals);
    for (int c; (c = next()) != EOF;) {
        print(eval(read_form(c), NULL));
        putchar('\n');
    }
    return 0;
}
