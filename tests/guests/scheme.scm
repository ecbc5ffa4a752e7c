(define zero (lambda (f) (lambda (x) x)))
(define succ (lambda (n) (lambda (f) (lambda (x) (f ((n f) x))))))
(define church (lambda (n) (if (= n 0) zero (succ (church (- n 1))))))
(define plus (lambda (a b) (lambda (f) (lambda (x) ((a f) ((b f) x))))))
(define times (lambda (a b) (lambda (f) (a (b f)))))
(define number (lambda (n) ((n (lambda (i) (+ i 1))) 0)))

(define random (lambda (seed) (remainder (+ (* seed 1103) 12345) 65536)))
(define numbers (lambda (n seed)
    (if (= n 0) '() (cons seed (numbers (- n 1) (random seed))))))

(define halves (lambda (list a b)
    (if (null? list) (cons a b) (halves (cdr list) (cons (car list) b) a))))
(define merge (lambda (a b)
    (if (null? a) b
        (if (null? b) a
            (if (< (car a) (car b))
                (cons (car a) (merge (cdr a) b))
                (cons (car b) (merge a (cdr b))))))))
(define both (lambda (two) (merge (sort (car two)) (sort (cdr two)))))
(define sort (lambda (list)
    (if (null? list) list
        (if (null? (cdr list)) list (both (halves list '() '()))))))
(define sorted (lambda (list)
    (if (null? list) 1
        (if (null? (cdr list)) 1
            (if (< (car (cdr list)) (car list)) 0 (sorted (cdr list)))))))

(define reverse (lambda (list onto)
    (if (null? list) onto (reverse (cdr list) (cons (car list) onto)))))
(define push (lambda (queue x) (cons (car queue) (cons x (cdr queue)))))
(define pop (lambda (queue)
    (if (null? (car queue))
        (pop (cons (reverse (cdr queue) '()) '()))
        (cons (car (car queue)) (cons (cdr (car queue)) (cdr queue))))))
(define turn (lambda (popped) (push (cdr popped) (+ (car popped) 1))))
(define rotate (lambda (queue n) (if (= n 0) queue (rotate (turn (pop queue)) (- n 1)))))

(define round (lambda (seed)
    (+ (* 1000 (sorted (sort (numbers 100 seed))))
        (+ (number (plus (times (church 6) (church 7)) (church 0)))
            (car (pop (rotate (cons '(10 20 30) '()) 32)))))))
(define rounds (lambda (n sum)
    (if (= n 0) sum (rounds (- n 1) (remainder (+ sum (round n)) 1000003)))))
(rounds 42 0)
