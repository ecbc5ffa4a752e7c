// Goroutines, channels, a mutex, timers, files and JSON.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
)

type result struct {
	Worker int            `json:"worker"`
	Sum    uint64         `json:"sum"`
	Words  map[string]int `json:"words,omitempty"`
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	os.Exit(5)
}

func run(dir string) error {
	goroutines()
	if err := timers(); err != nil {
		return err
	}
	if err := files(dir); err != nil {
		return err
	}
	fmt.Println("recovered:", recovered())
	return nil
}

func goroutines() {
	jobs, results := make(chan int), make(chan result, 4)
	var wait sync.WaitGroup
	var mutex sync.Mutex
	total := 0
	for worker := range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			sum := uint64(0)
			for n := range jobs {
				for i := range n {
					sum += uint64(i) * uint64(i)
				}
				mutex.Lock()
				total += n
				mutex.Unlock()
			}
			results <- result{Worker: worker, Sum: sum}
		}()
	}
	for n := range 200 {
		jobs <- n
	}
	close(jobs)
	wait.Wait()
	close(results)
	sum, workers := uint64(0), 0
	for r := range results {
		sum += r.Sum
		workers++
	}
	fmt.Println("goroutines:", workers, total, sum)
}

func timers() error {
	start := time.Now()
	select {
	case <-time.After(30 * time.Millisecond):
	case <-time.After(10 * time.Second):
		return errors.New("the longer timer fired first")
	}
	slept := time.Since(start)
	if slept < 30*time.Millisecond || slept > 5*time.Second {
		return fmt.Errorf("slept %v instead of 30 ms", slept)
	}
	if year := time.Now().Year(); year < 2024 || year > 2200 {
		return fmt.Errorf("the clock says %d", year)
	}
	day := time.Date(2024, time.February, 29, 23, 59, 59, 0, time.UTC).Add(time.Second)
	fmt.Println("time:", day.Format(time.RFC1123), day.Weekday(), day.YearDay())
	return nil
}

func files(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755); err != nil {
		return err
	}
	for i := range 5 {
		name := filepath.Join(dir, "a", fmt.Sprintf("file%d.txt", i))
		if err := os.WriteFile(name, []byte(strings.Repeat("gold crest\n", i)), 0o644); err != nil {
			return err
		}
	}
	if err := os.Rename(filepath.Join(dir, "a", "file4.txt"), filepath.Join(dir, "a", "b", "moved.txt")); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, "a", "file0.txt")); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "a", "file0.txt")); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("a removed file is still there: %v", err)
	}
	var names []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			names = append(names, fmt.Sprintf("%s=%d", strings.TrimPrefix(path, dir), info.Size()))
		}
		return err
	})
	if err != nil {
		return err
	}
	sort.Strings(names)
	fmt.Println("files:", names)

	file, err := os.OpenFile(filepath.Join(dir, "a", "b", "moved.txt"), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := fmt.Fprint(file, "last"); err != nil {
		return err
	}
	if _, err := file.Seek(5, 0); err != nil {
		return err
	}
	words := map[string]int{}
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		for word := range strings.FieldsSeq(scanner.Text()) {
			words[word]++
		}
	}
	text, err := json.Marshal(result{Worker: 7, Sum: 1 << 63, Words: words})
	if err != nil {
		return err
	}
	var back result
	if err := json.Unmarshal(text, &back); err != nil {
		return err
	}
	fmt.Println("json:", string(text), back.Words["crest"])
	_, err = os.ReadFile("/etc/passwd")
	fmt.Println("outside:", err != nil)
	return nil
}

func recovered() (what any) {
	defer func() { what = recover() }()
	var list []int
	return list[len(os.Args)]
}
