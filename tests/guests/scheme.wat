;; A little Scheme: a reader and an evaluator over structures, arrays, small integers and casts.
;;
;; Lists are pairs, numbers `i31`s, the empty list is null, and 0 is false. Calls in tail position take no stack. What makes
;; objects counts them.
(module
    (type $bytes (array (mut i8)))
    (type $pair (struct (field $car (ref null eq)) (field $cdr (ref null eq))))
    ;; A symbol, its global value, and the number of the special form that it begins, if it does.
    (type $symbol (struct
        (field $name (ref $bytes)) (field $value (mut (ref null eq))) (field $form i32)))
    (type $primitive (struct (field $number i32)))
    (rec
        (type $environment (struct
            (field $symbol (ref $symbol)) (field $bound (ref null eq)) (field $outer (ref null $environment))))
        (type $closure (struct
            (field $parameters (ref null eq)) (field $body (ref null eq)) (field $around (ref null $environment)))))

    (global $symbols (mut (ref null $pair)) (ref.null $pair))
    (global $source (mut (ref $bytes)) (array.new_default $bytes (i32.const 0)))
    (global $at (mut i32) (i32.const 0))
    (global $objects (export "objects") (mut i32) (i32.const 0))

    ;; In the order of their numbers: forms from 1 on, primitives from 0 on.
    (data $forms "quote if lambda define ")
    (data $primitives "+ - * remainder < = cons car cdr null? ")

    (func $count (global.set $objects (i32.add (global.get $objects) (i32.const 1))))

    (func $cons (param $car (ref null eq)) (param $cdr (ref null eq)) (result (ref $pair))
        (call $count)
        (struct.new $pair (local.get $car) (local.get $cdr)))

    (func $car (param $list (ref null eq)) (result (ref null eq))
        (struct.get $pair $car (ref.cast (ref $pair) (local.get $list))))

    (func $cdr (param $list (ref null eq)) (result (ref null eq))
        (struct.get $pair $cdr (ref.cast (ref $pair) (local.get $list))))

    (func $number (param $value (ref null eq)) (result i32)
        (i31.get_s (ref.cast (ref i31) (local.get $value))))

    ;; Whether `name` is the text of `length` bytes of `text` from `start`.
    (func $is (param $name (ref $bytes)) (param $text (ref $bytes)) (param $start i32) (param $length i32) (result i32)
        (local $i i32)
        (if (i32.ne (array.len (local.get $name)) (local.get $length)) (then (return (i32.const 0))))
        (block $different
            (loop $next
                (if (i32.eq (local.get $i) (local.get $length)) (then (return (i32.const 1))))
                (br_if $different (i32.ne
                    (array.get_u $bytes (local.get $name) (local.get $i))
                    (array.get_u $bytes (local.get $text) (i32.add (local.get $start) (local.get $i)))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $next)))
        (i32.const 0))

    ;; The symbol of that name; a new one gets the value and form.
    (func $intern (param $text (ref $bytes)) (param $start i32) (param $length i32)
        (param $value (ref null eq)) (param $form i32) (result (ref $symbol))
        (local $rest (ref null $pair)) (local $symbol (ref $symbol)) (local $name (ref $bytes))
        (local.set $rest (global.get $symbols))
        (block $unknown
            (loop $next
                (br_if $unknown (ref.is_null (local.get $rest)))
                (local.set $symbol (ref.cast (ref $symbol) (call $car (local.get $rest))))
                (if (call $is (struct.get $symbol $name (local.get $symbol))
                        (local.get $text) (local.get $start) (local.get $length))
                    (then (return (local.get $symbol))))
                (local.set $rest (ref.cast (ref null $pair) (call $cdr (local.get $rest))))
                (br $next)))
        (local.set $name (array.new_default $bytes (local.get $length)))
        (array.copy $bytes $bytes
            (local.get $name) (i32.const 0) (local.get $text) (local.get $start) (local.get $length))
        (local.set $symbol (struct.new $symbol (local.get $name) (local.get $value) (local.get $form)))
        (global.set $symbols (call $cons (local.get $symbol) (global.get $symbols)))
        (local.get $symbol))

    ;; Interns each word of `text`, which ends in a space: as forms, or as names of primitives.
    (func $words (param $text (ref $bytes)) (param $primitive i32)
        (local $start i32) (local $end i32) (local $number i32)
        (loop $next
            (if (i32.ge_u (local.get $end) (array.len (local.get $text))) (then (return)))
            (if (i32.eq (array.get_u $bytes (local.get $text) (local.get $end)) (i32.const 32))
                (then
                    (drop (call $intern (local.get $text) (local.get $start)
                        (i32.sub (local.get $end) (local.get $start))
                        (if (result (ref null eq)) (local.get $primitive)
                            (then (struct.new $primitive (local.get $number)))
                            (else (ref.null none)))
                        (select (i32.const 0) (i32.add (local.get $number) (i32.const 1)) (local.get $primitive))))
                    (local.set $number (i32.add (local.get $number) (i32.const 1)))
                    (local.set $start (i32.add (local.get $end) (i32.const 1)))))
            (local.set $end (i32.add (local.get $end) (i32.const 1)))
            (br $next)))

    ;; The next character of the source that is no white space; 0 at the end.
    (func $peek (result i32)
        (local $c i32)
        (loop $next
            (if (i32.ge_u (global.get $at) (array.len (global.get $source))) (then (return (i32.const 0))))
            (local.set $c (array.get_u $bytes (global.get $source) (global.get $at)))
            (if (i32.le_u (local.get $c) (i32.const 32))
                (then
                    (global.set $at (i32.add (global.get $at) (i32.const 1)))
                    (br $next))))
        (local.get $c))

    (func $read (result (ref null eq))
        (local $c i32) (local $start i32) (local $value i32)
        (local.set $c (call $peek))
        (local.set $start (global.get $at))
        (if (i32.eq (local.get $c) (i32.const 40)) ;; (
            (then
                (global.set $at (i32.add (global.get $at) (i32.const 1)))
                (return (call $read_rest))))
        (if (i32.eq (local.get $c) (i32.const 39)) ;; '
            (then
                (global.set $at (i32.add (global.get $at) (i32.const 1)))
                (return (call $cons
                    (call $intern (array.new_data $bytes $forms (i32.const 0) (i32.const 5))
                        (i32.const 0) (i32.const 5) (ref.null none) (i32.const 0))
                    (call $cons (call $read) (ref.null none))))))
        (loop $next
            (local.set $c (if (result i32) (i32.lt_u (global.get $at) (array.len (global.get $source)))
                (then (array.get_u $bytes (global.get $source) (global.get $at)))
                (else (i32.const 0))))
            (if (i32.gt_u (local.get $c) (i32.const 41))
                (then
                    (local.set $value (i32.add
                        (i32.mul (local.get $value) (i32.const 10))
                        (i32.sub (local.get $c) (i32.const 48))))
                    (global.set $at (i32.add (global.get $at) (i32.const 1)))
                    (br $next))))
        (if (result (ref null eq))
            (i32.lt_u
                (i32.sub (array.get_u $bytes (global.get $source) (local.get $start)) (i32.const 48))
                (i32.const 10))
            (then (ref.i31 (local.get $value)))
            (else (call $intern (global.get $source) (local.get $start)
                (i32.sub (global.get $at) (local.get $start)) (ref.null none) (i32.const 0)))))

    ;; What is left of a list.
    (func $read_rest (result (ref null eq))
        (local $first (ref null eq))
        (if (i32.eq (call $peek) (i32.const 41)) ;; )
            (then
                (global.set $at (i32.add (global.get $at) (i32.const 1)))
                (return (ref.null none))))
        (local.set $first (call $read))
        (call $cons (local.get $first) (call $read_rest)))

    (func $lookup (param $symbol (ref $symbol)) (param $environment (ref null $environment)) (result (ref null eq))
        (block $global
            (loop $next
                (br_if $global (ref.is_null (local.get $environment)))
                (if (ref.eq (struct.get $environment $symbol (local.get $environment)) (local.get $symbol))
                    (then (return (struct.get $environment $bound (local.get $environment)))))
                (local.set $environment (struct.get $environment $outer (local.get $environment)))
                (br $next)))
        (struct.get $symbol $value (local.get $symbol)))

    (func $evaluate_all (param $list (ref null eq)) (param $environment (ref null $environment)) (result (ref null eq))
        (local $first (ref null eq))
        (if (ref.is_null (local.get $list)) (then (return (ref.null none))))
        (local.set $first (call $evaluate (call $car (local.get $list)) (local.get $environment)))
        (call $cons (local.get $first) (call $evaluate_all (call $cdr (local.get $list)) (local.get $environment))))

    (func $evaluate (param $expression (ref null eq)) (param $environment (ref null $environment)) (result (ref null eq))
        (local $first (ref null eq)) (local $rest (ref null eq)) (local $form i32)
        (local $names (ref null eq)) (local $closure (ref null $closure))
        (loop $again
            (if (ref.test (ref $symbol) (local.get $expression))
                (then (return (call $lookup
                    (ref.cast (ref $symbol) (local.get $expression)) (local.get $environment)))))
            (if (i32.eqz (ref.test (ref $pair) (local.get $expression)))
                (then (return (local.get $expression))))
            (local.set $first (call $car (local.get $expression)))
            (local.set $rest (call $cdr (local.get $expression)))
            (local.set $form (block $none (result i32)
                (drop (block $other (result (ref null eq))
                    (br $none (struct.get $symbol $form
                        (br_on_cast_fail $other (ref null eq) (ref $symbol) (local.get $first))))))
                (i32.const 0)))
            (block $call
                (block $define
                    (block $lambda
                        (block $if
                            (block $quote
                                (br_table $call $quote $if $lambda $define (local.get $form)))
                            (return (call $car (local.get $rest))))
                        ;; Only 0 is false.
                        (if (ref.eq
                                (call $evaluate (call $car (local.get $rest)) (local.get $environment))
                                (ref.i31 (i32.const 0)))
                            (then (local.set $rest (call $cdr (local.get $rest)))))
                        (local.set $expression (call $car (call $cdr (local.get $rest))))
                        (br $again))
                    (call $count)
                    (return (struct.new $closure
                        (call $car (local.get $rest)) (call $car (call $cdr (local.get $rest))) (local.get $environment))))
                (struct.set $symbol $value
                    (ref.cast (ref $symbol) (call $car (local.get $rest)))
                    (call $evaluate (call $car (call $cdr (local.get $rest))) (local.get $environment)))
                (return (ref.null none)))
            (local.set $first (call $evaluate (local.get $first) (local.get $environment)))
            (local.set $rest (call $evaluate_all (local.get $rest) (local.get $environment)))
            (if (ref.test (ref $primitive) (local.get $first))
                (then (return (call $primitive
                    (struct.get $primitive $number (ref.cast (ref $primitive) (local.get $first)))
                    (local.get $rest)))))
            (local.set $closure (ref.cast (ref $closure) (local.get $first)))
            (local.set $environment (struct.get $closure $around (local.get $closure)))
            (local.set $names (struct.get $closure $parameters (local.get $closure)))
            (block $bound
                (loop $next
                    (br_if $bound (ref.is_null (local.get $names)))
                    (call $count)
                    (local.set $environment (struct.new $environment
                        (ref.cast (ref $symbol) (call $car (local.get $names)))
                        (call $car (local.get $rest))
                        (local.get $environment)))
                    (local.set $names (call $cdr (local.get $names)))
                    (local.set $rest (call $cdr (local.get $rest)))
                    (br $next)))
            (local.set $expression (struct.get $closure $body (local.get $closure)))
            (br $again))
        (unreachable))

    (func $primitive (param $number i32) (param $list (ref null eq)) (result (ref null eq))
        (local $a (ref null eq)) (local $b (ref null eq)) (local $x i32) (local $y i32)
        (local.set $a (call $car (local.get $list)))
        (local.set $list (call $cdr (local.get $list)))
        (if (i32.eqz (ref.is_null (local.get $list))) (then (local.set $b (call $car (local.get $list)))))
        (block $list
            (if (i32.ge_u (local.get $number) (i32.const 6)) (then (br $list)))
            (local.set $x (call $number (local.get $a)))
            (local.set $y (call $number (local.get $b)))
            (block $equal (block $less (block $remainder (block $times (block $minus (block $plus
                (br_table $plus $minus $times $remainder $less $equal (local.get $number)))
                (return (ref.i31 (i32.add (local.get $x) (local.get $y)))))
                (return (ref.i31 (i32.sub (local.get $x) (local.get $y)))))
                (return (ref.i31 (i32.mul (local.get $x) (local.get $y)))))
                (return (ref.i31 (i32.rem_s (local.get $x) (local.get $y)))))
                (return (ref.i31 (i32.lt_s (local.get $x) (local.get $y)))))
            (return (ref.i31 (i32.eq (local.get $x) (local.get $y)))))
        (block $null (block $cdr (block $car (block $cons
            (br_table $cons $car $cdr $null (i32.sub (local.get $number) (i32.const 6))))
            (return (call $cons (local.get $a) (local.get $b))))
            (return (call $car (local.get $a))))
            (return (call $cdr (local.get $a))))
        (ref.i31 (ref.is_null (local.get $a))))

    ;; Reads and evaluates all of a text; the value of the last expression is a number.
    (func (export "run") (param $text (ref $bytes)) (result i32)
        (local $value (ref null eq))
        (if (ref.is_null (global.get $symbols))
            (then
                (call $words (array.new_data $bytes $forms (i32.const 0) (i32.const 23)) (i32.const 0))
                (call $words (array.new_data $bytes $primitives (i32.const 0) (i32.const 39)) (i32.const 1))))
        (global.set $source (local.get $text))
        (global.set $at (i32.const 0))
        (block $end
            (loop $next
                (br_if $end (i32.eqz (call $peek)))
                (local.set $value (call $evaluate (call $read) (ref.null $environment)))
                (br $next)))
        (call $number (local.get $value)))

    ;; A text, for the host to fill.
    (func (export "text") (param $length i32) (result (ref $bytes))
        (array.new_default $bytes (local.get $length)))
)
