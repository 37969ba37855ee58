// Package noun puts numbers with their nouns, and what others wrote, into sentences.
// It imports nothing of the house, so that every floor speaks alike.
package noun
