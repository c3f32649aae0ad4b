package main

import "github.com/spf13/cobra"

// serveCommand is none in a browser, which serves nothing.
func serveCommand() *cobra.Command { return &cobra.Command{Use: "serve", Hidden: true} }
