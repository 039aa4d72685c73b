#!/bin/sh
# Says its words and then waits for its end. Usage: greet.sh WORDS
trap 'exit 0' TERM
echo "$1"
while :; do
    sleep 1000000 &
    wait $!
done
