// Command ask has words counted by the cluster of a genesis file, and prints
// each with the result that f+1 replicas vouch for.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/genesis"
)

func main() {
	if err := ask(os.Args[1], os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

func ask(path string, words []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	file, err := genesis.Load(path)
	if err != nil {
		return err
	}
	config := client.Config{Genesis: &file.Genesis, Addresses: file.Addresses}
	rand.Read(config.Key[:]) // this cluster lets any key in
	c, err := client.Dial(ctx, config)
	if err != nil {
		return err
	}
	for _, word := range words {
		r, err := c.Invoke(ctx, []byte(word))
		if err != nil {
			return errors.Join(err, c.Close())
		}
		fmt.Printf("%s %s\n", word, r.Data)
	}
	return c.Close()
}
