package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"slashbatch/assets"
)

// pathImage is the asset that a path names.
func pathImage(r *http.Request) (space int, key string, err error) {
	vars, err := pathVars(r)
	if err != nil {
		return 0, "", err
	}
	n, err := strconv.ParseInt(vars["space"], 10, 32)
	if err != nil {
		return 0, "", assets.ErrNotFound // no space has a number that large
	}
	return int(n), vars["image"], nil
}

// aboutImage identifies the caller, and the asset that the path names.
func (s *Server) aboutImage(r *http.Request) (customer, space int, key string, err error) {
	if _, customer, err = s.actor(r); err == nil {
		space, key, err = pathImage(r)
	}
	return customer, space, key, err
}

// deleteImage removes an asset; its history stays.
func (s *Server) deleteImage(w http.ResponseWriter, r *http.Request) error {
	customer, space, key, err := s.aboutImage(r)
	if err != nil {
		return err
	}
	if err := s.Assets.Store.DeleteAsset(r.Context(), customer, space, key); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// reingest has one image ingested again.
func (s *Server) reingest(w http.ResponseWriter, r *http.Request) error {
	customer, space, key, err := s.aboutImage(r)
	if err != nil {
		return err
	}
	if err := s.Assets.Store.Reingest(r.Context(), customer, space, key); err != nil {
		return err
	}
	return s.imageIs(w, r, customer, space, key)
}

// outcomeAlone notes what became of an asset that is ingested outside of any batch.
func (s *Server) outcomeAlone(w http.ResponseWriter, r *http.Request) error {
	customer, space, key, err := s.aboutImage(r)
	if err != nil {
		return err
	}
	o, err := s.readOutcome(w, r)
	if err != nil {
		return err
	}
	err = s.Assets.Store.RecordAlone(r.Context(), customer, o)
	if in, ok := errors.AsType[*assets.InBatchError](err); ok {
		return &httpError{Status: http.StatusConflict, Detail: fmt.Sprintf("this asset is ingested in batch %d: send the outcome there", in.Batch)}
	}
	if err != nil {
		return err
	}
	return s.imageIs(w, r, customer, space, key)
}

// imageIs answers with an asset.
func (s *Server) imageIs(w http.ResponseWriter, r *http.Request, customer, space int, key string) error {
	v := vars(customer)
	v["space"] = strconv.Itoa(space)
	return s.written(w, r, http.StatusOK, listImages, customer, v, url.Values{"id": {key}})
}
