//go:build !js

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// webFiles are what make web builds.
var webFiles = []string{"index.html", "conform.wasm", "wasm_exec.js"}

func serveCommand() *cobra.Command {
	var dir string
	var port int
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the page that checks a browser, on this machine alone",
		Long: `Serve serves the page that runs the conformance suite in a browser. "make web"
builds it once; nothing is built here. Only this machine can reach it, which is
also what browsers want before they grant WebGPU.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), cmd.OutOrStdout(), dir, port) },
	}
	cmd.Flags().StringVar(&dir, "dir", "web", "folder that make web filled")
	cmd.Flags().IntVar(&port, "port", 8080, "port; 0 is any that is free")
	return cmd
}

func serve(ctx context.Context, out io.Writer, dir string, port int) error {
	for _, name := range webFiles {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf(`--dir %s: %w: "make web" builds it`, dir, err)
		}
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("--port %d: %w", port, err)
	}
	fmt.Fprintf(out, "http://%s/ (Ctrl-C ends it)\n", l.Addr())
	s := &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
