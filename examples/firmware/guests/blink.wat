;; Blinks a LED three times, each time for a little longer. It has no memory: all it does is call the board.
(module
  (import "board" "led" (func $led (param $on i32)))
  (import "board" "sleep" (func $sleep (param $ms i32)))

  (func (export "run")
    (local $ms i32)
    (local.set $ms (i32.const 100))
    (loop $blink
      (call $led (i32.const 1))
      (call $sleep (local.get $ms))
      (call $led (i32.const 0))
      (call $sleep (i32.const 500))
      (local.set $ms (i32.mul (local.get $ms) (i32.const 2)))
      (br_if $blink (i32.le_u (local.get $ms) (i32.const 400))))))
